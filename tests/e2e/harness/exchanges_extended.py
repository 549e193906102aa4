"""What test_transparent.py plays by the extended protocol: conversations as in exchanges_simple.py."""
import struct

from .twin import Step
from .wire import FLUSH, SYNC, close, describe, execute, message, query, text

TEXT, BINARY = 0, 1
INT4, INT8, TEXT_OID, FLOAT8, BYTEA, UNKNOWN = 23, 20, 25, 701, 17, 0


def parse(sql, name="", types=()):
    return message(b"P", text(name) + text(sql) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(*values, name="", portal="", formats=(), results=()):
    """Values are bytes or None; formats are of the values, results of the columns."""
    body = text(portal) + text(name) + struct.pack(f"!H{len(formats)}H", len(formats), *formats) + struct.pack("!H", len(values))
    for value in values:
        body += struct.pack("!i", -1) if value is None else struct.pack("!I", len(value)) + value
    return message(b"B", body + struct.pack(f"!H{len(results)}H", len(results), *results))


def whole(sql, *values, types=(), formats=(), results=(), rows=0):
    """Parse, Bind, Describe and Execute of the unnamed statement, without Sync."""
    return parse(sql, types=types) + bind(*values, formats=formats, results=results) + describe(what=b"P") + execute(rows=rows)


def once(sql, *values, **keywords):
    return whole(sql, *values, **keywords) + SYNC


def int4(value):
    return struct.pack("!i", value)


def data(*chunks, end=message(b"c")):
    return b"".join(message(b"d", chunk) for chunk in chunks) + end


PERSON = "select id, name, score from people where id = $1"

EXTENDED = {
    "one by one": [
        once("select 1"), once("select $1::int + 1", b"41"), once("select $1::int", b"x"), once("select $1, $2", b"a", None),
        once("select $1::int", int4(7), formats=[BINARY], results=[BINARY]),
        once("select $1::text", b"\xc3\xbc", formats=[BINARY]), once(PERSON, b"5"),
        once(PERSON, int4(5), types=[INT4], formats=[BINARY], results=[BINARY]), once(PERSON, None),
        once(PERSON, b"5", results=[TEXT, TEXT, BINARY]),
        once("insert into sink values ($1, $2) returning *", b"1", b"by bind"), once("update sink set v = $1", b"changed"),
        once("delete from sink where id = $1", b"1"), once("create temp table made (x int)"), once("drop table made"),
        once("begin"), once("select 1"), once("select 1/0"), once("select 2"), once("rollback"), once(""), once(";"),
        once("-- nothing"), once("show datestyle"), once("set timezone to 'UTC'"), once("select chatty($1)", b"2"),
        once("call twice($1)", b"4"), once("listen news"), once("notify news, 'x'"),
        once("explain (costs off) select * from people where id = $1"), once("values ($1), ($2)", b"a", b"b"),
        once("table sink"), once("vacuum sink"), once("analyze sink"), once("lock table sink"),
    ],
    "binary both ways": [
        once("select * from people where id = 3", results=[BINARY]),
        once("select feeling, extra, tags, info, photo, born from people where id = 4", results=[BINARY]),
        once("select $1::bytea, $2::float8, $3::int8", b"\0\xff\0", struct.pack("!d", 1.5), struct.pack("!q", -3),
            formats=[BINARY], results=[BINARY]), once("select $1::bytea", b"\\x00ff"),
        once("select $1::int", b"\0\0", formats=[BINARY]), once("select $1::int", b"\0\0\0\0\0", formats=[BINARY]),
        once("select $1::bool, $2::date", b"\1", int4(1), formats=[BINARY, BINARY], results=[BINARY, TEXT]),
        once("select $1::int4[]", struct.pack("!iiIiiiiii", 1, 0, INT4, 2, 1, 4, 10, 4, 20), formats=[BINARY],
            results=[BINARY]),
        once("select $1::numeric", struct.pack("!hhHhhh", 2, 0, 0, 2, 12, 3400), formats=[BINARY], results=[TEXT]),
        once("select 1, 2", results=[BINARY, BINARY, BINARY]), once("select 1", results=[7]),
        once("select $1::text", b"a\0b", formats=[BINARY]), once("select '<x/>'::xml, '{}'::json", results=[BINARY]),
        once("select now() - now(), interval '3 days', '::1'::inet", results=[BINARY]),
        once("select row(1, 'a'::text)", results=[BINARY]),
    ],
    "errors in each phase": [
        parse("selec") + SYNC, parse("select nix") + describe() + SYNC, parse("select 1; select 2") + SYNC,
        parse("select $1 + $1") + SYNC, parse("select $3::int") + describe() + SYNC, describe("nobody") + SYNC,
        describe("nobody", b"P") + SYNC, execute("nobody") + SYNC, close("nobody") + close("nobody", b"P") + SYNC,
        parse("select 1") + bind(b"too", b"many") + SYNC, parse("select $1::int") + bind() + SYNC,
        parse("select 1 / $1::int") + bind(b"0") + execute() + SYNC,
        parse("select $1::int / 0") + bind(b"1") + execute() + SYNC,
        parse("select 1", "twice") + parse("select 2", "twice") + SYNC,
        bind(name="twice", portal="p") + bind(name="twice", portal="p") + SYNC,
        parse("select generate_series(1, 5) / (3 - generate_series(1, 5))") + bind() + execute() + SYNC,
        parse("begin; commit") + SYNC, parse("select $1::int") + bind(b"\xff") + execute() + SYNC,
        parse("select $1::mood", types=[TEXT_OID]) + bind(b"furious") + describe(what=b"P") + execute() + SYNC,
        parse("select $1", types=[999999]) + SYNC, describe("", b"S") + SYNC,
        parse("insert into people (id, name) values ($1, 'x')") + bind(b"1") + execute() + SYNC,
        parse("select fails($1)") + bind(b"P0042") + execute() + SYNC, query("select 'well'"),
        parse("commit") + bind() + execute() + SYNC,
    ],
    "names and their lives": [
        parse(PERSON, "s1") + SYNC, describe("s1") + SYNC, bind(b"1", name="s1") + execute() + SYNC,
        bind(b"2", name="s1") + execute() + SYNC,
        bind(b"3", name="s1") + describe(what=b"P") + execute() + bind(b"4", name="s1") + execute() + SYNC,
        query("deallocate s1"), bind(b"1", name="s1") + SYNC, parse("select 2", "s1") + SYNC,
        bind(name="s1") + execute() + SYNC, close("s1") + SYNC, close("s1") + SYNC, parse("select 1") + SYNC,
        bind() + execute() + SYNC, parse("select 2") + bind() + execute() + SYNC, query("select 3"),
        bind() + execute() + SYNC, query("prepare by_sql as select 'sql'"), bind(name="by_sql") + execute() + SYNC,
        parse("execute by_sql") + bind() + describe(what=b"P") + execute() + SYNC, parse("select 'proto'", "by_proto") + SYNC,
        query("execute by_proto"), query("deallocate by_proto"), query("execute by_proto"),
        *(parse(f"select {n}, $1::text", f"many{n}") + bind(b"v", name=f"many{n}") + execute() + SYNC for n in range(12)),
        query("discard all"), bind(b"v", name="many3") + SYNC, parse("select * from sink", "star") + SYNC,
        query("alter table sink add column extra int"), bind(name="star") + execute() + SYNC,
        query("alter table sink drop column extra"), parse("select 'ü'", "nämé ❤") + SYNC,
        bind(name="nämé ❤", portal="pörtal") + describe("pörtal", b"P") + execute("pörtal") + SYNC,
        parse("select 1", "x" * 200) + describe("x" * 200) + SYNC, bind(name="x" * 200) + execute() + SYNC,
    ],
    "portals": [
        query("begin"), parse("select generate_series(1, 10) as n") + bind(portal="p") + execute("p", 3) + SYNC,
        execute("p", 3) + SYNC, execute("p") + execute("p") + SYNC, close("p", b"P") + execute("p") + SYNC, query("rollback"),
        parse("select generate_series(1, 4)") + bind() + execute(rows=1) + execute(rows=2) + execute(rows=9) + execute()
            + SYNC, execute() + SYNC, query("begin"),
        parse("select id from people order by id") + bind(portal="a") + bind(portal="b") + execute("a", 2) + execute("b", 1)
            + execute("a", 1) + SYNC, query("fetch 2 from a"), execute("b", 2) + SYNC, query("close a"), execute("a") + SYNC,
        query("commit"), execute("b") + SYNC, query("begin; declare c cursor for select id from people order by id"),
        describe("c", b"P") + execute("c", 2) + SYNC, query("fetch c; commit"),
        parse("insert into sink select generate_series(1, 5) returning id") + bind() + execute(rows=2) + execute(rows=9)
            + SYNC, parse("update sink set v = 'p'") + bind() + execute(rows=1) + SYNC,
        parse("select 1") + bind(portal="gone") + SYNC + execute("gone") + SYNC,
    ],
    "pipelines": [
        once("select 1") + once("select 2") + once("select 3"), once("select 1") + once("select 1/0") + once("select 3"),
        whole("select 1") + whole("select 2") + SYNC,
        whole("select 1") + whole("select 1/0") + whole("select 3") + SYNC + once("select 4"),
        whole("insert into sink values (50, 'rolled back')") + whole("select 1/0") + SYNC,
        query("select count(*) from sink where id = 50"),
        whole("insert into sink values (51, 'kept')") + SYNC + once("select 1/0"),
        query("select count(*) from sink where id = 51"), SYNC, SYNC + SYNC + SYNC,
        query("select 1") + query("select 2") + once("select 3") + query("select 4"), query("select 1/0") + once("select 2"),
        once("begin") + once("insert into sink values (52, 'x')") + once("select nix") + once("select 5") + once("rollback")
            + once("select 6"),
        Step(whole("select nix") + query("skipped") + whole("select 1") + SYNC + query("select 'after'"), 2),
        b"".join(parse(f"select {n}::int, $1::text", f"n{n}") for n in range(40)) + SYNC,
        b"".join(bind(b"v%d" % n, name=f"n{n}") + describe(what=b"P") + execute() for n in range(40)) + SYNC,
        b"".join(bind(b"w", name=f"n{n}") + execute() + SYNC for n in range(40)),
        b"".join(once(f"select {n}") for n in range(150)), b"".join(close(f"n{n}") for n in range(40)) + SYNC,
        whole("select chatty(2)") + whole("select chatty(1)") + SYNC,
        once("select repeat('x', 100000)") + once("select repeat('y', 200000)") + query("select 'end'"),
        once("insert into sink values ($1, $2)", b"60", b"p" * 100000) * 5 + once("select count(*) from sink where id = 60"),
        whole("begin") + whole("select 1") + whole("commit") + SYNC, whole("vacuum sink") + whole("select 1") + SYNC,
        whole("select 1") + whole("vacuum sink") + SYNC, whole("savepoint x") + SYNC,
        whole("create table twice_made (x int)") * 2 + SYNC,
    ],
    "flush": [
        [Step(parse("select $1::int", "f") + describe("f") + FLUSH, 1, "T"), Step(bind(b"8", name="f") + describe(what=b"P")
            + FLUSH, 1, "T"), Step(execute() + FLUSH, 1, "C"), Step(SYNC)],
        [Step(parse("select 1/0") + bind() + execute() + FLUSH, 1, "E"), Step(parse("select 1") + bind() + FLUSH + SYNC)],
        [Step(whole("select 'a'") + FLUSH, 1, "C"), Step(whole("select 'b'") + FLUSH, 1, "C"), Step(SYNC)],
        [Step(parse("select generate_series(1, 5)") + bind() + execute(rows=2) + FLUSH, 1, "s"), Step(execute(rows=2)
            + FLUSH, 1, "s"), Step(execute() + FLUSH, 1, "C"), Step(SYNC)], FLUSH + SYNC,
        [Step(close("f") + FLUSH, 1, "3"), Step(SYNC)],
    ],
    "copy": [
        Step(parse("copy (select id, name from people order by id limit 3) to stdout") + bind() + execute() + SYNC, 1),
        Step(parse("copy (select id, name from people order by id limit 3) to stdout (format binary)") + bind()
            + describe(what=b"P") + execute() + SYNC, 1),
        Step(parse("copy (select 1/(2 - g) from generate_series(1, 3) g) to stdout") + bind() + execute() + SYNC, 1),
        [Step(parse("copy sink from stdin") + bind() + execute() + FLUSH, 1, "G"), Step(data(b"1\tone\n", b"2\ttwo\n")
            + SYNC, 1)],
        [Step(parse("copy sink from stdin") + bind() + execute() + FLUSH, 1, "G"), Step(data(b"bad\n") + SYNC, 1)],
        [Step(parse("copy sink from stdin") + bind() + execute() + FLUSH, 1, "G"), Step(data(b"3\tx\n", end=message(b"f",
            text("no"))) + SYNC, 1)],
        [Step(parse("copy sink from stdin") + bind() + execute() + SYNC, 1, "G"), Step(data(b"4\tx\n") + SYNC, 1)],
        Step(parse("copy nowhere from stdin") + bind() + execute() + SYNC, 1),
        Step(parse("copy sink from stdin") + bind() + execute() + data(b"5\tx\n") + SYNC, 1),
        query("select * from sink order by id"),
        message(b"d", b"stray") + message(b"c") + query("select 'stray copy data is ignored'"),
    ],
    "large parameters": [
        once("select length($1::text)", b"a" * 1000000), once("select $1::text", b"b" * 300000),
        once("select $1::bytea", bytes(range(256)) * 2000, formats=[BINARY], results=[BINARY]),
        once("insert into sink values (1, $1) returning length(v)", "ü".encode() * 200000),
        once("select " + ", ".join(f"${n}::int" for n in range(1, 1501)), *(b"%d" % n for n in range(1500))),
        once("select $1::int[]", ("{" + ",".join(str(n) for n in range(50000)) + "}").encode()),
        once("select $1::json", b'{"k": "' + b"j" * 400000 + b'"}'),
        once("select " + ", ".join(f"${n}::text" for n in range(1, 60)), *(None if n % 2 else b"v" * 9000 for n
            in range(59))), parse("/* " + "c" * 500000 + " */ select 1", "big") + describe("big") + SYNC,
        bind(name="big") + execute() + SYNC, once("select $1::text || $2::text", b"", b""),
        once("select $1::xml", b"<a>" + b"t" * 70000 + b"</a>"),
    ],
    "what is described": [
        parse("select * from people", "d1") + describe("d1") + SYNC,
        parse("insert into sink values ($1, $2)", "d2") + describe("d2") + SYNC,
        parse("insert into sink values ($1, $2) returning id, v as w", "d3") + describe("d3") + SYNC,
        parse("", "d4") + describe("d4") + SYNC, parse("begin", "d5") + describe("d5") + SYNC,
        parse("select $1 as a, $2::mood, $3::people", "d6") + describe("d6") + SYNC,
        parse("show all", "d7") + describe("d7") + SYNC, parse("explain select 1", "d8") + describe("d8") + SYNC,
        parse("copy sink to stdout", "d9") + describe("d9") + SYNC,
        parse("select p, feeling, extra, several() from people p", "d10") + describe("d10") + SYNC,
        parse("listen x", "d11") + describe("d11") + SYNC,
        parse("with x as (delete from sink returning id) select * from x", "d12") + describe("d12") + SYNC, query("begin"),
        parse("select nix", "d13") + SYNC, describe("d1") + SYNC, query("rollback"),
        bind(name="d1", portal="q", results=[BINARY]) + describe("q", b"P") + SYNC,
        query("create temp table newer (a mood, b pair)"),
        parse("select * from newer where a = $1 and b = $2", "d14") + describe("d14") + SYNC,
        query("create type later as enum ('x')"),
        parse("select $1::later, newer.* from newer", "d15") + describe("d15") + SYNC,
    ],
    "prepared before the path may move": [
        parse("select 'still there'", "kept") + SYNC, query("do $$ begin end $$"), bind(name="kept") + execute() + SYNC,
        parse("select 'there again'", "other") + SYNC, query("call twice(1)"), bind(name="other") + execute() + SYNC,
        query("set search_path to pg_catalog, public"), bind(name="other") + execute() + SYNC,
        bind(name="kept") + execute() + SYNC,
    ],
    "cancel and notices": [
        Step(whole("select pg_sleep(30)") + SYNC, cancel=True), once("select 1"),
        Step(whole("select 1") + whole("select pg_sleep(30)") + whole("select 2") + SYNC + query( "select 3"), 2,
            cancel=True), once("listen news"), [Step(query("notify news, 'x'"), other=True), Step(b"", 1, "A")],
        once("unlisten *"), once("set client_min_messages to debug1"), once("do $$ begin raise debug 'd'; end $$"),
        once("set application_name to 'x'"), once("reset all"),
    ],
}

# What a server and the bastion answer differently; see docs/postgresql.md.
UNKNOWN_NAMES = [query("execute nowhere"), bind(name="nobody") + SYNC, query("prepare gone as select 1"), query("deallocate gone; execute gone")]
MALFORMED = [once("select $1, $2", b"a", b"b", formats=[BINARY, TEXT, TEXT]), message(b"D", b"Q" + text("")) + SYNC]
CUT_NAMES = [parse("select 1", "x" * 200) + SYNC, bind(name="x" * 63) + execute() + SYNC]
