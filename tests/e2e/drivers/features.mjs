// Node's `pg`: a protocol implementation of its own. `node features.mjs PORT MODULES`; see features.py for the form.
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { pipeline as pipe } from "node:stream/promises";
import assert from "node:assert/strict";

const [port, modules] = process.argv.slice(2);
const load = createRequire(`${modules}/x.js`);
const pg = load("pg");
const Cursor = load("pg-cursor");
const copy = load("pg-copy-streams");
const BIG = 16 << 20;
const settings = { host: "127.0.0.1", port: Number(port), user: "whoever", password: "unused", database: "whatever", ssl: false };

async function open(more = {}) {
  const link = new pg.Client({ ...settings, ...more });
  await link.connect();
  return link;
}

async function refused(code, promise) {
  const fault = await promise.then(() => assert.fail(`no ${code}`), (reason) => reason);
  assert.equal(fault.code, code, String(fault));
  return fault;
}

const one = async (link, sql, values) => (await link.query({ text: sql, values, rowMode: "array" })).rows[0];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const count = async (link) => (await one(link, "select count(*)::int from driver_rows"))[0];

const features = {
  async prepared(link) {
    for (let n = 0; n < 20; n++) {
      const { rows } = await link.query({ name: "plus", text: "select $1::int + 1 as n", values: [n] });
      assert.equal(rows[0].n, n + 1);
    }
    const divide = { name: "divide", text: "select 1 / $1::int as n" };
    assert.equal((await link.query({ ...divide, values: [1] })).rows[0].n, 1);
    await refused("22012", link.query({ ...divide, values: [0] }));
    assert.equal((await link.query({ ...divide, values: [1] })).rows[0].n, 1);
  },

  async pipeline(link) {
    const answers = [...Array(200).keys()].map((n) => one(link, "select $1::int, $2::text", [n, "x".repeat(n)]));
    (await Promise.all(answers)).forEach((row, n) => assert.deepEqual(row, [n, "x".repeat(n)]));
    const several = await link.query("select 1 as a; select 2 as b; select 3 as c");
    assert.deepEqual(several.map((r) => Object.values(r.rows[0])), [[1], [2], [3]]);
  },

  async binary(link) {
    const bytes = Buffer.from([...Array(256).keys()]);
    const { rows } = await link.query({ text: "select $1::int as i, length($2::bytea) as n, true as yes",
      values: [7, bytes], binary: true });
    assert.deepEqual(rows, [{ i: 7, n: 256, yes: true }]); // of bytea and doubles it reads no binary form well, directly neither
    const { fields } = await link.query({ text: "select $1::int8", values: [1], binary: true });
    assert.equal(fields[0].format, "binary");
  },

  async copy_out(link) {
    const parts = [];
    for await (const part of link.query(copy.to("copy (select g, 'ü' from generate_series(1, 5000) g) to stdout"))) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), [...Array(5000).keys()].map((n) => `${n + 1}\tü\n`).join(""));
  },

  async copy_in(link) {
    await link.query("begin");
    const lines = [...Array(5000).keys()].map((n) => `${n}\tn${n}\n`);
    await pipe(Readable.from(lines), link.query(copy.from("copy driver_rows (id, name) from stdin")));
    assert.equal(await count(link), 5000);
    await link.query("rollback");
    await refused("22P02", pipe(Readable.from(["no number\tx\n"]), link.query(copy.from("copy driver_rows (id, name) from stdin"))));
    assert.equal(await count(link), 0);
  },

  async cancel(link) {
    const query = new pg.Query("select pg_sleep(30)");
    const ended = new Promise((done, fail) => { query.on("end", done); query.on("error", fail); });
    link.query(query);
    await pause(300);
    new pg.Client(settings).cancel(link, query);
    await refused("57014", ended);
    assert.deepEqual(await one(link, "select 1"), [1]);
  },

  async notify(link) {
    const heard = new Promise((done) => link.on("notification", done));
    await link.query("listen driver_news");
    const other = await open();
    await other.query("notify driver_news, 'it rains'");
    const note = await heard;
    assert.deepEqual([note.channel, note.payload, note.processId], ["driver_news", "it rains", other.processID]);
    await other.end();
  },

  async cursor(link) {
    const cursor = link.query(new Cursor("select generate_series(1, $1::int) as n", [3000]));
    const found = [];
    for (;;) {
      const rows = await cursor.read(100);
      if (rows.length === 0) break;
      found.push(...rows.map((row) => row.n));
    }
    assert.deepEqual(found, [...Array(3000).keys()].map((n) => n + 1));
    const other = link.query(new Cursor("select generate_series(1, 3000) as n"));
    assert.equal((await other.read(10)).length, 10);
    await other.close();
    assert.deepEqual(await one(link, "select 1"), [1]);
  },

  async large_object(link) {
    const bytes = Buffer.from("\0large\xff", "latin1");
    const [number] = await one(link, "select lo_from_bytea(0, $1)", [bytes]);
    assert.deepEqual((await one(link, "select lo_get($1)", [number]))[0], bytes);
    await refused("42501", link.query("select lo_unlink($1)", [number]));
    assert.deepEqual(await one(link, "select 1"), [1]);
  },

  async transaction(link) {
    await link.query("begin");
    await link.query("insert into driver_rows (id) values ($1)", [1]);
    await link.query("savepoint s");
    const fault = await refused("23505", link.query("insert into driver_rows (id) values ($1)", [1]));
    assert.equal(fault.constraint, "driver_rows_pkey");
    await refused("25P02", link.query("select 1"));
    await link.query("rollback to s");
    assert.equal(await count(link), 1);
    await link.query("rollback");
    assert.equal(await count(link), 0);
  },

  async values(link) {
    const { rows: [row] } = await link.query(`select array[1, 2, null]::int[] as ints, array['a', 'ü,"'] as texts, '{"k": [1, "ü", null]}'::jsonb as doc,
      12345678901234567890.0123456789::numeric as n, timestamptz '2026-01-02 03:04:05.678+00' as at, '\\x00ff10'::bytea as raw, true as yes,
      1.5::float8 as f, 9007199254740993::bigint as big, null::text as nothing`);
    assert.deepEqual(row, { ints: [1, 2, null], texts: ["a", 'ü,"'], doc: { k: [1, "ü", null] }, n: "12345678901234567890.0123456789",
      at: new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678)), raw: Buffer.from([0, 255, 16]), yes: true, f: 1.5, big: "9007199254740993", nothing: null });
    const { rows: [back] } = await link.query(`select $1::int[] as ints, $2::text[] as texts, $3::jsonb as doc, $4::numeric as n, $5::timestamptz as at,
      $6::bytea as raw, $7::bool as yes, $8::float8 as f, $9::bigint as big, $10::text as nothing`, Object.values(row));
    assert.deepEqual(back, row);
  },

  async big_cell(link) {
    assert.equal((await one(link, "select repeat('0123456789abcdef', $1)", [BIG / 16]))[0], "0123456789abcdef".repeat(BIG / 16));
    const bytes = Buffer.alloc(BIG, 0x81);
    assert.ok(bytes.equals((await one(link, "select $1::bytea", [bytes]))[0]));
  },

  async wide(link) {
    assert.deepEqual(await one(link, "select * from driver_wide"), [...Array(1600).keys()]);
    assert.deepEqual(await one(link, "select * from driver_wide where c0 = $1", [0]), [...Array(1600).keys()]);
  },

  async refusal(link) {
    const fault = await refused("42501", link.query("drop table driver_rows"));
    assert.match(fault.message, /no-drop/);
    assert.match(fault.detail, /code=denied/);
    await refused("42501", link.query({ name: "drop", text: "drop table driver_rows", values: [] }));
    assert.deepEqual(await one(link, "select $1::int", [2]), [2]);
  },
};

for (const [name, feature] of Object.entries(features)) {
  const link = await open().catch((fault) => fault);
  try {
    if (link instanceof Error) throw link;
    await feature(link);
    console.log(`ok ${name}`);
  } catch (fault) {
    console.error(fault);
    console.log(`FAIL ${name}: ${String(fault).replace(/\n/g, " | ").slice(0, 2000)}`);
  }
  await link.end?.();
}
