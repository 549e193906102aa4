"""The leak corpus: whatever a hostile expert asks, in whatever format, no answer holds what a mask hides.

leaks/statements.txt has attacks, leaks/shapes.txt shapes that are tried on a column of every type; leaks/setup.sql has the
canaries. To be refused is fine, an answer that holds a canary, in any common encoding, is not."""
import base64
import datetime
import struct
from pathlib import Path

import pytest

from harness import wire
from harness.bastion import Bastion, settings
from harness.wire import Wire, error_of, rows_of

LEAKS = Path(__file__).parent / "leaks"
STATEMENTS = ["select", "insert", "update", "delete", "merge", "copy", "create", "alter", "drop", "grant", "comment", "call", "do", "function", "explain",
              "show", "set", "role", "transaction", "lock", "listen", "notify", "cursor", "maintenance", "truncate"]
MASKS = [{"name": "ids", "roles": ["agent"], "columns": ["*.m_uuid"], "with": "hash"},
         {"name": "pii", "roles": ["agent"], "columns": ["*.m_*"], "with": "redact"},
         {"name": "written", "roles": ["writer"], "columns": ["*.m_*"], "with": "redact", "masked_writes": "allow"}]
TEARDOWN = """
drop materialized view leak_stored; drop view leak_view_2, leak_view; drop procedure leak_proc(text);
drop function leak_fn(int), leak_fixed(), leak_rows(), leak_shouts(), leak_opens(), leak_owner(int);
drop table leak_member, leak_org, leak_added, leak_refers_2, leak_refers, leak_key, leak_made, leak_amounts, leak_owned, leak_owned_int, leak_narrow, leak_domains, leak_routed;
drop operator || (int4, int4);
drop table leak, leak_plain, leak_parent, leak_heir, leak_base, leak_ranges, leak_unique, leak_loud; drop function leak_tells();
drop type leak_mood, leak_pair; drop domain leak_domain;
"""


def lines_of(name):
    return [line for line in (LEAKS / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]


def columns_of(postgres):
    return [row[0] for row in postgres.query("select attname from pg_attribute where attrelid = 'leak'::regclass and attname like 'm\\_%'")]


def canaries():
    """As bytes, in lower case."""
    word = b"kanarienvogel"
    found = {word, word[::-1], word.hex().encode(), b"anarienvoge", b"7394628", b"7.394628", b"739462851", b"1739462", b"29173", b"1907-09", b"14.09.1907", b"07:39:46",
             b"73946285-cafe", b"73946285cafe", b"73.94.62", b"73:94:62", b"73 years", b"7,394,628", b"0111001110010100011000101000010100010111",
             bytes.fromhex("73946285cafe4739"), struct.pack("!i", 1739462851), struct.pack("!q", 739462851739462851), struct.pack("!d", 7394628.51739),
             struct.pack("!f", 7394628.5), struct.pack("!d", 7394628.5), bytes([73, 94, 62]), struct.pack("!HHH", 739, 4628, 5100), bytes.fromhex("739462851739"),
             struct.pack("!ii", 46, 73 * 12 + 9), struct.pack("!q", 27586285000), struct.pack("!q", 739462851)}
    moment = datetime.datetime(1907, 9, 14, 7, 39, 46, 285000) - datetime.datetime(2000, 1, 1)
    found |= {struct.pack("!i", moment.days), struct.pack("!q", moment // datetime.timedelta(microseconds=1)), bytes.fromhex("7394628517")}
    for text in (word, word.capitalize(), word.upper()):
        for shift in range(3):  # base64 of it, whatever stands before
            found.add(base64.b64encode(b"x" * shift + text)[4 if shift else 0:-4].lower())
    return {canary.lower() for canary in found}


CANARIES = canaries()


def leaked(seen):
    return [(kind, body[:300]) for kind, body in seen if kind not in "KSZ" for low in [body.lower()]
            if any(canary in low for canary in CANARIES)]


@pytest.fixture(scope="module")
def attacked(postgres):
    postgres.query((LEAKS / "setup.sql").read_text(encoding="utf-8"))
    made = Bastion(postgres, settings(postgres, masks=MASKS, roles=[{"name": name} for name in ("agent", "writer", "ops")], rules=[
        {"name": "all", "roles": ["agent", "writer"], "targets": ["*"], "action": "allow", "match": {"statements": STATEMENTS}},
        {"name": "ops", "roles": ["ops"], "targets": ["*"], "action": "allow", "match": "anything"}]))
    try:
        made.start()
        yield made
        made.stop()
        assert made.trouble() == [] and made.leaks() == []
    finally:
        made.remove()
        postgres.query(TEARDOWN)


@pytest.fixture(scope="module")
def forward(attacked):
    with attacked.client("mallory", principals=["agent"]).forward() as made:
        yield made


@pytest.fixture
def link(forward):
    with Wire(forward.port) as made:
        yield made.login()


def bind(formats, portal=""):
    return wire.message(b"B", wire.text(portal) + b"\0" + struct.pack("!HH", 0, 0) + struct.pack(f"!H{len(formats)}H", len(formats), *formats))


def simple(sql):
    return [(wire.query(sql),)]


def described(sql, formats):
    return [(wire.parse(sql), wire.describe(), bind(formats), wire.describe(what=b"P"), wire.execute(), wire.SYNC)]


def undescribed(sql, formats):
    return [(wire.parse(sql), bind(formats), wire.execute(rows=1), wire.execute(), wire.SYNC)]


def copied(sql, options):
    return [(wire.query(f"copy ({sql}) to stdout {options}"),)] if sql.lstrip("(").split()[0] in ("select", "table", "values", "with") and ";" not in sql else []


WAYS = {
    "simple": simple,
    "extended text": lambda sql: described(sql, []),
    "extended binary": lambda sql: described(sql, [1]),
    "not described": lambda sql: undescribed(sql, []),
    "not described, binary": lambda sql: undescribed(sql, [1]),
    "copy text": lambda sql: copied(sql, ""),
    "copy csv": lambda sql: copied(sql, "(format csv, header)"),
    "copy binary": lambda sql: copied(sql, "(format binary)"),
}


def attack(link, steps, way):
    """All that comes back, in a transaction of its own."""
    link.ask(wire.query("begin"))
    seen = []
    for step in steps:
        for messages in WAYS[way](step):
            seen += link.ask(*messages)[1]
    seen += link.ask(wire.query("rollback"))[1]
    return seen


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.asan
def test_no_attack_gets_a_masked_value(link, way):
    attacks = lines_of("statements.txt")
    assert len(attacks) >= 300
    found = {}
    for line in attacks:
        seen = attack(link, line.split(" ;; "), way)
        if leaked(seen):
            found[line] = leaked(seen)[:2]
    assert found == {}, "\n".join(f"{line}\n    {seen}" for line, seen in found.items())


@pytest.mark.parametrize("way", WAYS)
def test_no_type_of_column_shows_a_masked_value(link, postgres, way):
    found = {}
    for shape in lines_of("shapes.txt"):
        for column in columns_of(postgres):
            sql = shape.format(c=column)
            seen = attack(link, [sql], way)
            if leaked(seen):
                found[sql] = leaked(seen)[:2]
    assert found == {}, "\n".join(f"{sql}\n    {seen}" for sql, seen in found.items())


NULLS = {"m_enum"}  # no label of it could be made up


@pytest.mark.parametrize("way", ["simple", "extended binary"])
def test_what_is_shown_instead_is_a_value_of_the_type(link, postgres, attacked, way):
    """The server takes it back: in text and in binary."""
    types = dict(postgres.query("select attname, format_type(atttypid, null) from pg_attribute where attrelid = 'leak'::regclass and attname like 'm\\_%'"))
    nulls = set()
    with attacked.client("olga", principals=["ops"]).forward() as forward, Wire(forward.port) as plain:
        plain.login()
        for column in columns_of(postgres):
            seen = attack(link, [f"select {column} from leak where id = 1"], way)
            value = next(body for kind, body in seen if kind == "D")[2:]
            size = struct.unpack("!i", value[:4])[0]
            if size < 0:
                nulls.add(column)
                continue
            binary = int(way == "extended binary")
            taken = plain.ask(wire.parse(f"select $1::{types[column]} is not null"), wire.message(b"B", b"\0\0" + struct.pack("!HHHi", 1, binary, 1, size) + value[4:] + struct.pack("!H", 0)),
                              wire.execute(), wire.SYNC)[1]
            assert "E" not in [kind for kind, _ in taken], (column, value, error_of(taken))
    assert nulls == NULLS


def test_a_name_that_the_server_cuts_is_no_other_statement(link):
    """It keeps 63 bytes of a name, so what closes the one closes the other."""
    one, two = "n" * 63 + "a", "n" * 63 + "b"
    close = wire.message(b"C", b"S" + wire.text(two))
    bound = wire.message(b"B", b"\0" + wire.text(one) + struct.pack("!HHH", 0, 0, 0))
    kinds, seen = link.ask(wire.parse("select name from leak", one), close, wire.parse("select m_text from leak", two), bound, wire.execute(), wire.SYNC)
    assert leaked(seen) == [] and "D" in kinds


def test_statements_that_commit_tell_nothing_either(link):
    """Deferred constraints quote rows when the transaction ends: at COMMIT, and at Sync."""
    for ways in ([wire.query("begin")], [wire.query("insert into leak_ranges values (2, '[1,2000000000)')")], [wire.query("commit")],
                 [wire.query("insert into leak_ranges values (3, '[1,2000000000)')")],
                 [wire.parse("insert into leak_ranges values (4, '[1,2000000000)')"), bind([]), wire.execute(), wire.SYNC],
                 [wire.query("select 1; insert into leak_ranges values (5, '[1,2000000000)')")]):
        kinds, seen = link.ask(*ways)
        assert leaked(seen) == []
    assert "E" in kinds


def test_what_triggers_say_of_rows_is_masked(link, forward):
    with Wire(forward.port) as other:
        other.login().ask(wire.query("listen leak"))
        link.ask(wire.query("listen leak"))
        _, seen = link.ask(wire.query("update leak_loud set id = id + 1"))
        assert leaked(seen) == [] and any(kind == "N" for kind, _ in seen) and any(kind == "A" for kind, _ in seen)
        kind, body = other.receive()
        assert kind == "A" and leaked([(kind, body)]) == [] and body.endswith(b"leak\0[masked:pii]\0")


def test_the_corpus_would_see_a_leak(attacked, postgres):
    """Without masks the same questions bring canaries: in most of the shapes of most of the types, in each format."""
    with attacked.client("olga", principals=["ops"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        for way in WAYS:
            missed = [c for c in columns_of(postgres) if not leaked(attack(link, [f"select {c} from leak"], way))]
            assert set(missed) <= {"m_bool", "m_int2"}, (way, missed)
        assert "m_bool" in missed
        assert rows_of(link.ask(wire.query("select count(*) from leak where m_text like 'K%'"))[1]) == [["4"]]


# ---- asking in the dark ----

def blind_questions():
    return lines_of("blind.txt")


def outcome(seen):
    """What an attacker can tell from an answer: its kinds of messages, its values, the kind of its error."""
    return [(kind, wire.fields(body)["C"] if kind in "EN" else body) for kind, body in seen]


def test_questions_are_answered_alike_whatever_the_value_is(link, postgres):
    """Binary search for the first letter and the number: each question with a guess that is right and one that is not."""
    assert len(blind_questions()) >= 60
    told = {}
    for question in blind_questions():
        answers = set()
        for text, like, number in (("Kanarienvogel 1", "K%", 1739462851), ("Zaunkoenig 1", "Z%", 1739462852)):
            sql = question.replace("{text}", text).replace("{like}", like).replace("{first}", like[0]).replace("{number}", str(number))
            seen = attack(link, sql.split(" ;; "), "simple")
            answers.add(str([(kind, what) for kind, what in outcome(seen)]).replace(text, "?").replace(like, "?%").replace(str(number), "0"))
        if len(answers) > 1:
            told[question] = answers
    assert told == {}, "\n".join(f"{question}\n    {answers}" for question, answers in told.items())


def test_without_masks_the_questions_would_find_out(attacked):
    """The same questions do distinguish where nothing is masked, or the test above would prove nothing."""
    telling = 0
    with attacked.client("olga", principals=["ops"]).forward() as forward, Wire(forward.port) as link:
        link.login()
        for question in blind_questions():
            answers = {str(outcome(attack(link, question.replace("{text}", text).replace("{like}", like).replace("{first}", like[0])
                                          .replace("{number}", str(number)).split(" ;; "), "simple"))).replace(text, "?").replace(like, "?%").replace(str(number), "0")
                       for text, like, number in (("Kanarienvogel 1", "K%", 1739462851), ("Zaunkoenig 1", "Z%", 1739462852))}
            telling += len(answers) > 1
    assert telling >= len(blind_questions()) * 0.8


def test_what_is_written_may_be_compared_only_where_the_mask_says_so(link, attacked):
    """A customer with an address of one's own: refused where a constraint compares it, free where none does, and allowed by masked_writes."""
    fault = error_of(link.ask(wire.query("insert into leak_key (id, m_text) values (9, 'Zeisig')"))[1])
    assert fault["C"] == "42501" and "code=masked_predicate" in fault["D"] and "a constraint compares" in fault["M"] and "masked_writes" in fault["H"]
    for sql in ("insert into leak_key (id, limits) values (9, 1)", "insert into leak (id, m_text) values (9, 'Zeisig')", "update leak set m_text = 'Zeisig' where id = 1",
                "update leak_refers set key = 2 where id = 1", "delete from leak_refers_2 where id = 1"):
        assert "E" not in [kind for kind, _ in attack(link, [sql], "simple")], sql
    with attacked.client("olga", principals=["writer"]).forward() as forward, Wire(forward.port) as writer:
        writer.login()
        for sql in ("insert into leak_key (id, m_text) values (9, 'Zeisig') returning m_text", "update leak_key set m_text = 'Zeisig' where id = 2"):
            seen = attack(writer, [sql], "simple")
            assert "E" not in [kind for kind, _ in seen] and leaked(seen) == [], sql
        for sql in ("select id from leak_key where m_text = 'Zeisig'", "insert into leak_owned select m_text from leak"):
            assert "code=masked_predicate" in error_of(attack(writer, [sql], "simple"))["D"]


def test_refusals_say_that_a_mask_is_the_reason(link):
    for sql in ("select id from leak where m_text like 'K%'", "select 1 / (m_int4 - 1739462851) from leak"):
        fault = error_of(link.ask(wire.query(sql))[1])
        assert fault["C"] == "42501" and "code=masked_predicate" in fault["D"] and "pii" in fault["M"] and fault["H"]
