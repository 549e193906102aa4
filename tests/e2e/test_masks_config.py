"""Masks and the configuration: tokens of `with: hash`, reloads, what describe says, detectors in every kind of answer."""
import json
import struct

import pytest

from harness import wire
from harness.bastion import Bastion, settings
from harness.wire import Wire, rows_of

SECRET = "jane.doe@corp.example"
RULES = [{"name": "all", "targets": ["*"], "match": {"statements": ["select", "insert", "update", "copy", "transaction", "listen", "notify", "set", "function",
                                                                     "cursor", "show"]}, "action": "allow"}]
SETUP = """set role app;
create table tokens_a (id int primary key, token text, number int8, id_of uuid);
create table tokens_b (id int primary key, token varchar(40));
insert into tokens_a values (1, 'same value', 123456789012, '73946285-cafe-4739-8739-463285173946'), (2, 'other', 5, null);
insert into tokens_b values (7, 'same value'), (8, 'another');
create table found (id int primary key, text text, texts text[], js jsonb);
insert into found values (1, 'mail jane.doe@corp.example now', array['x', 'jane.doe@corp.example'], '{"to": "jane.doe@corp.example"}');
create function says(text) returns text language plpgsql as $$ begin raise notice 'said %', $1; raise exception 'failed with %', $1; end $$;
grant all on all tables in schema public to bulk;
"""
TEARDOWN = "drop table tokens_a, tokens_b, found; drop function says(text);"
HASHED = {"name": "tokens", "roles": ["agent"], "columns": ["*.token", "tokens_a.number", "*.id_of"], "with": "hash"}
DETECTS = {"name": "found", "roles": ["agent"], "detect": ["email", {"name": "employee", "pattern": r"\bEMP-[0-9]{6}\b"}], "with": "redact"}


@pytest.fixture(scope="module")
def house(postgres):
    postgres.query(SETUP)
    made = Bastion(postgres, settings(postgres, masks=[HASHED, DETECTS], rules=RULES))
    try:
        yield made.start()
        made.stop()
        assert made.trouble() == [] and made.leaks() == []
    finally:
        made.remove()
        postgres.query(TEARDOWN)


def answers(house, *sqls, target="orders"):
    with house.client("agent-7", principals=["agent"]).forward(target) as forward, Wire(forward.port) as link:
        link.login()
        return [rows_of(link.ask(wire.query(sql))[1]) for sql in sqls]


def test_a_token_is_the_same_everywhere_on_a_target_and_another_on_others(house):
    ask = ("select token, number, id_of from tokens_a where id = 1", "select token from tokens_b where id = 7", "select token from tokens_a where id = 2")
    (a,), (b,), (other,) = answers(house, *ask)
    assert a[0] == b[0] != other[0] and a[0].startswith("[tokens:") and "same" not in a[0]
    assert a[1].isdigit() and a[1] != "123456789012" and a[2] != "73946285-cafe-4739-8739-463285173946"
    again = answers(house, *ask)
    assert again == [[a], [b], [other]]
    elsewhere = answers(house, *ask, target="bulk")
    assert elsewhere[0][0][0] == elsewhere[1][0][0] != a[0] and elsewhere[0][0][1] != a[1] and elsewhere[0][0][2] != a[2]
    house.stop()
    house.start()
    assert answers(house, *ask) == [[a], [b], [other]]


def test_a_token_is_the_same_in_both_formats(house):
    with house.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        sql = "select token, number, id_of from tokens_a where id = 1"
        text = rows_of(link.ask(wire.query(sql))[1])[0]
        bind = wire.message(b"B", b"\0\0" + struct.pack("!HHHH", 0, 0, 1, 1))
        _, seen = link.ask(wire.parse(sql), bind, wire.describe(what=b"P"), wire.execute(), wire.SYNC)
        body = next(body for kind, body in seen if kind == "D")
        cells, at = [], 2
        for _ in range(3):
            size = struct.unpack("!i", body[at:at + 4])[0]
            cells.append(body[at + 4:at + 4 + size])
            at += 4 + size
    assert cells[0].decode() == text[0] and str(struct.unpack("!q", cells[1])[0]) == text[1] and cells[2].hex() == text[2].replace("-", "")


def test_hashed_columns_can_be_joined_and_counted_and_nothing_can_be_put_beside_them(house):
    with house.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        assert rows_of(link.ask(wire.query("select a.id, b.id from tokens_a a join tokens_b b using (token)"))[1]) == [["1", "7"]]
        assert rows_of(link.ask(wire.query("select count(*) from (select distinct token from tokens_a) q"))[1]) == [["2"]]
        rows = rows_of(link.ask(wire.query("select token from tokens_a where id = 1 union all select 'same value'"))[1])
        assert rows == [["[masked:tokens]"]] * 2
        kinds, _ = link.ask(wire.query("select count(*) from tokens_a where token = 'same value'"))
        assert "E" in kinds


def test_new_sessions_get_the_masks_of_a_reloaded_file(house):
    client = house.client("agent-7", principals=["agent"])
    with client.forward() as forward, Wire(forward.port) as before:
        before.login()
        house.configuration["masks"] = [{**HASHED, "with": "redact"}, DETECTS]
        house.write()
        house.reload()
        assert rows_of(before.ask(wire.query("select token from tokens_b where id = 7"))[1])[0][0].startswith("[tokens:")
    assert answers(house, "select token from tokens_b where id = 7") == [[["[masked:tokens]"]]]
    house.configuration["masks"] = [HASHED, DETECTS]
    house.write()
    house.reload()
    assert answers(house, "select token from tokens_b where id = 7")[0][0][0].startswith("[tokens:")


def test_describe_says_what_is_masked_and_how(house):
    agent, other = house.client("agent-7", principals=["agent"]), house.client("olga", principals=["ops"])
    masks = {target["name"]: target["masks"] for target in json.loads(agent.must("describe", "--json"))["targets"]}
    assert masks["orders"] == [
        {"name": "tokens", "with": "hash", "columns": ["*.token", "tokens_a.number", "*.id_of"], "detect": [], "masked_predicates": "deny", "masked_writes": "deny"},
        {"name": "found", "with": "redact", "columns": [], "detect": ["email", "employee"]}]
    text = agent.must("describe")
    assert "masked for you" in text and "columns *.token, tokens_a.number" in text and "what looks like email, employee" in text
    assert all(target["masks"] == [] for target in json.loads(other.must("describe", "--json"))["targets"])
    assert "masked for you" not in other.must("describe")


@pytest.mark.parametrize("binary", [0, 1])
def test_detectors_look_into_every_kind_of_answer(house, binary):
    with house.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        bind = wire.message(b"B", b"\0\0" + struct.pack("!HHHH", 0, 0, 1, binary))
        for what in ("text", "texts", "js", "found", "text || '!'", "array_agg(text)", "row(text, 1)", "js::text", "text::bytea"):
            _, seen = link.ask(wire.parse(f"select {what} from found" + (" group by text" if "agg" in what else "")), bind, wire.execute(), wire.SYNC)
            if binary or what != "text::bytea":  # hexadecimal digits are not what a detector looks for
                assert all(SECRET.encode() not in body for _, body in seen), (what, seen)
                assert "D" in [kind for kind, _ in seen], (what, seen)
        for options in ("", "(format csv)", "(format binary)"):
            _, seen = link.ask(wire.query(f"copy found to stdout {options}"))
            assert all(SECRET.encode() not in body for _, body in seen) and "d" in [kind for kind, _ in seen]


def test_detectors_look_into_errors_notices_and_notifications(house):
    with house.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
        link.login().ask(wire.query("listen x"))
        for sql, kinds in ((f"select says('{SECRET}')", "EN"), (f"notify x, '{SECRET} EMP-123456'", "A"), (f"select '{SECRET}'::int", "E")):
            _, seen = link.ask(wire.query(sql))
            assert all(SECRET.encode() not in body and b"EMP-123456" not in body for _, body in seen), seen
            assert set(kinds) <= {kind for kind, _ in seen}


def test_a_secret_is_found_however_the_bytes_of_a_row_arrive(house, postgres):
    """One larger than what is read at a time: it spans segments, and reads."""
    postgres.query("insert into found values (2, repeat('x ', 150000) || 'jane.doe@corp.example' || repeat(' y', 150000))")
    try:
        for sql in ("select text from found where id = 2", "copy (select text from found where id = 2) to stdout"):
            with house.client("agent-7", principals=["agent"]).forward() as forward, Wire(forward.port) as link:
                link.login()
                _, seen = link.ask(wire.query(sql))
                whole = b"".join(body for kind, body in seen if kind in "Dd")
                assert SECRET.encode() not in whole and b"[masked:email]" in whole and len(whole) > 500000
    finally:
        postgres.query("delete from found where id = 2")
