// pgx: a protocol implementation of its own, binary where it can be. `features PORT`; see features.py for the form.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

const big = 16 << 20

var background = context.Background()

func open() *pgx.Conn {
	link, err := pgx.Connect(background, "host=127.0.0.1 user=whoever password=unused database=whatever sslmode=disable port="+os.Args[1])
	must(err)
	return link
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func expect(condition bool, what ...interface{}) {
	if !condition {
		panic(fmt.Sprint(what...))
	}
}

func refused(code string, err error) *pgconn.PgError {
	var fault *pgconn.PgError
	expect(errors.As(err, &fault) && fault.Code == code, "no ", code, " but ", err)
	return fault
}

func one(link *pgx.Conn, to interface{}, sql string, values ...interface{}) error {
	return link.QueryRow(background, sql, values...).Scan(to)
}

func execute(link *pgx.Conn, sql string, values ...interface{}) error {
	_, err := link.Exec(background, sql, values...)
	return err
}

func count(link *pgx.Conn) (n int) {
	must(one(link, &n, "select count(*) from driver_rows"))
	return
}

func stillThere(link *pgx.Conn) {
	var n int
	must(one(link, &n, "select $1::int", 7))
	expect(n == 7, n)
}

func prepared(link *pgx.Conn) {
	_, err := link.Prepare(background, "plus", "select $1::int + 1")
	must(err)
	for i := 0; i < 20; i++ {
		var n int
		must(one(link, &n, "plus", i))
		expect(n == i+1, n)
	}
	var n int
	refused("22012", one(link, &n, "select 1 / $1::int", 0))
	must(one(link, &n, "plus", 1))
	must(link.Deallocate(background, "plus"))
}

func pipeline(link *pgx.Conn) {
	batch := &pgx.Batch{}
	for i := 0; i < 200; i++ {
		batch.Queue("select $1::int, $2::text", i, strings.Repeat("x", i))
	}
	answers := link.SendBatch(background, batch)
	for i := 0; i < 200; i++ {
		var n int
		var text string
		must(answers.QueryRow().Scan(&n, &text))
		expect(n == i && len(text) == i, n)
	}
	must(answers.Close())
	batch = &pgx.Batch{}
	batch.Queue("insert into driver_rows (id) values (1)")
	batch.Queue("select 1/0")
	answers = link.SendBatch(background, batch)
	_, err := answers.Exec()
	if err == nil {
		_, err = answers.Exec()
	}
	refused("22012", err)
	_ = answers.Close()
	expect(count(link) == 0, "the implicit transaction is rolled back")
}

func binary(link *pgx.Conn) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	rows, err := link.Query(background, "select $1::int8, $2::bytea, 0.5::float8", int64(-1)<<63, all)
	must(err)
	expect(rows.Next(), rows.Err())
	expect(rows.FieldDescriptions()[0].Format == pgtype.BinaryFormatCode, "the form")
	var n int64
	var raw []byte
	var f float64
	must(rows.Scan(&n, &raw, &f))
	expect(n == int64(-1)<<63 && bytes.Equal(raw, all) && f == 0.5, n, f)
	rows.Close()
}

func copyOut(link *pgx.Conn) {
	var out, wanted bytes.Buffer
	_, err := link.PgConn().CopyTo(background, &out, "copy (select g, 'ü' from generate_series(1, 5000) g) to stdout")
	must(err)
	for n := 1; n <= 5000; n++ {
		fmt.Fprintf(&wanted, "%d\tü\n", n)
	}
	expect(bytes.Equal(out.Bytes(), wanted.Bytes()), out.Len())
}

func copyIn(link *pgx.Conn) {
	tx, err := link.Begin(background)
	must(err)
	rows := make([][]interface{}, 5000)
	for i := range rows {
		rows[i] = []interface{}{int32(i), fmt.Sprint("n", i)}
	}
	n, err := link.CopyFrom(background, pgx.Identifier{"driver_rows"}, []string{"id", "name"}, pgx.CopyFromRows(rows))
	must(err)
	expect(n == 5000 && count(link) == 5000, n)
	must(tx.Rollback(background))
	_, err = link.PgConn().CopyFrom(background, strings.NewReader("no number\tx\n"), "copy driver_rows (id, name) from stdin")
	refused("22P02", err)
	expect(count(link) == 0, "nothing")
}

func cancel(link *pgx.Conn) {
	go func() {
		time.Sleep(300 * time.Millisecond)
		if err := link.PgConn().CancelRequest(background); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}()
	refused("57014", execute(link, "select pg_sleep(30)"))
	stillThere(link)
}

func notify(link *pgx.Conn) {
	must(execute(link, "listen driver_news"))
	other := open()
	must(execute(other, "notify driver_news, 'it rains'"))
	limit, stop := context.WithTimeout(background, 10*time.Second)
	defer stop()
	note, err := link.WaitForNotification(limit)
	must(err)
	expect(note.Channel == "driver_news" && note.Payload == "it rains" && note.PID == other.PgConn().PID(), note)
	must(other.Close(background))
}

func cursor(link *pgx.Conn) {
	must(execute(link, "begin"))
	must(execute(link, "declare c cursor for select generate_series(1, 3000)"))
	for n := 0; n < 3000; {
		rows, err := link.Query(background, "fetch 100 from c")
		must(err)
		for rows.Next() {
			var got int
			must(rows.Scan(&got))
			n++
			expect(got == n, got)
		}
		must(rows.Err())
	}
	must(execute(link, "close c"))
	must(execute(link, "commit"))
}

func largeObject(link *pgx.Conn) {
	var number uint32
	var back []byte
	must(one(link, &number, "select lo_from_bytea(0, $1)", []byte("\x00large\xff")))
	must(one(link, &back, "select lo_get($1)", number))
	expect(string(back) == "\x00large\xff", back)
	refused("42501", execute(link, "select lo_unlink($1)", number))
	tx, err := link.Begin(background)
	must(err)
	objects := tx.LargeObjects() // by SQL, each function prepared
	object, err := objects.Open(background, number, pgx.LargeObjectModeRead)
	must(err)
	buffer := make([]byte, 7)
	n, err := object.Read(buffer)
	expect(n == 7 && string(buffer) == "\x00large\xff", n, err)
	must(tx.Rollback(background))
	stillThere(link)
}

func transaction(link *pgx.Conn) {
	tx, err := link.Begin(background)
	must(err)
	must(execute(link, "insert into driver_rows (id) values ($1)", 1))
	inner, err := tx.Begin(background) // a savepoint
	must(err)
	fault := refused("23505", execute(link, "insert into driver_rows (id) values ($1)", 1))
	expect(fault.ConstraintName == "driver_rows_pkey", fault)
	refused("25P02", execute(link, "select 1"))
	must(inner.Rollback(background))
	expect(count(link) == 1, "kept")
	must(tx.Rollback(background))
	expect(count(link) == 0, "rolled back")
}

func values(link *pgx.Conn) {
	var ints []*int32
	var doc map[string]interface{}
	var n pgtype.Numeric
	var at time.Time
	var raw []byte
	var large int64
	var nothing *string
	const sql = `select array[1, 2, null]::int[], '{"k": [1, "ü", null]}'::jsonb, 12345678901234567890.0123456789::numeric,
		timestamptz '2026-01-02 03:04:05.678901+00', '\x00ff10'::bytea, 9007199254740993::bigint, null::text`
	must(link.QueryRow(background, sql).Scan(&ints, &doc, &n, &at, &raw, &large, &nothing))
	expect(len(ints) == 3 && *ints[1] == 2 && ints[2] == nil, ints)
	expect(reflect.DeepEqual(doc["k"], []interface{}{1.0, "ü", nil}), doc)
	expect(at.Equal(time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)) && bytes.Equal(raw, []byte{0, 255, 16}), at)
	expect(large == 9007199254740993 && nothing == nil, large)
	var same bool
	must(one(link, &same, `select ($1::int[], $2::jsonb, $3::numeric, $4::timestamptz, $5::bytea, $6::bigint) is not distinct from
		(array[1, 2, null]::int[], '{"k": [1, "ü", null]}'::jsonb, 12345678901234567890.0123456789::numeric,
		timestamptz '2026-01-02 03:04:05.678901+00', '\x00ff10'::bytea, 9007199254740993::bigint)`, ints, doc, &n, at, raw, large))
	expect(same, "the same on the way back")
}

func bigCell(link *pgx.Conn) {
	var text string
	must(one(link, &text, "select repeat('0123456789abcdef', $1)", big/16))
	expect(text == strings.Repeat("0123456789abcdef", big/16), len(text))
	sent := bytes.Repeat([]byte{0x81}, big)
	var back []byte
	must(one(link, &back, "select $1::bytea", sent))
	expect(bytes.Equal(sent, back), len(back))
}

func wide(link *pgx.Conn) {
	rows, err := link.Query(background, "select * from driver_wide")
	must(err)
	expect(rows.Next(), rows.Err())
	row, err := rows.Values()
	must(err)
	expect(len(row) == 1600 && row[1599] == int32(1599), len(row))
	rows.Close()
}

func refusal(link *pgx.Conn) {
	fault := refused("42501", execute(link, "drop table driver_rows"))
	expect(strings.Contains(fault.Message, "no-drop") && strings.Contains(fault.Detail, "code=denied"), fault)
	_, err := link.Prepare(background, "drop", "drop table driver_rows")
	refused("42501", err)
	stillThere(link)
}

func run(name string, feature func(*pgx.Conn)) {
	defer func() {
		if fault := recover(); fault != nil {
			fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(fmt.Sprint(fault), "\n", " | "))
		} else {
			fmt.Println("ok", name)
		}
	}()
	link := open()
	defer link.Close(background)
	feature(link)
}

func main() {
	for _, one := range []struct {
		name    string
		feature func(*pgx.Conn)
	}{
		{"prepared", prepared}, {"pipeline", pipeline}, {"binary", binary}, {"copy_out", copyOut}, {"copy_in", copyIn}, {"cancel", cancel},
		{"notify", notify}, {"cursor", cursor}, {"large_object", largeObject}, {"transaction", transaction}, {"values", values},
		{"big_cell", bigCell}, {"wide", wide}, {"refusal", refusal},
	} {
		run(one.name, one.feature)
	}
}
