"""After an error in the extended protocol the server skips everything up to Sync, simple queries too: what it skips has no
answer, and the answer of what comes behind must not be taken for it."""
import pytest

from harness.bastion import Bastion, settings
from harness.exchanges_extended import bind, once, parse, whole
from harness.wire import SYNC, Wire, query

HIDDEN = "select email || '' from customers where id < 4"  # an expression: no column of a table confirms the mask
FAILS = {"Parse": parse("select nix"), "Bind": parse("select $1::int") + bind(b"x"), "Execute": whole("select 1/0")}
SHAPES = {
    "one query": query("select 'a'"), "two queries": query("select 'a'") + query("select 'b'"),
    "extended and a query": whole("select 'a'") + query("select 'b'"), "the masked one": query(HIDDEN), "copy": query("copy customers to stdout"),
}


@pytest.fixture(scope="module")
def masked(postgres):
    made = Bastion(postgres, settings(postgres, rules=[{"name": "all", "targets": ["*"], "match": "anything", "action": "allow"}],
                                      masks=[{"name": "pii", "columns": ["*.email"], "with": "redact"}]))
    try:
        made.start()
        with made.client("agent-7", principals=["agent"]).forward() as forward:
            yield forward
        made.stop()
        assert made.trouble() == [] and made.leaks() == []
    finally:
        made.remove()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("fails", FAILS)
def test_what_is_skipped_does_not_lend_its_plan_to_what_follows(masked, postgres, fails, shape):
    emails = [row[0].encode() for row in postgres.query("select email from customers where id < 4")]
    with Wire(masked.port) as link:
        link.login()
        link.send(FAILS[fails] + SHAPES[shape] + SYNC + query(HIDDEN) + once(HIDDEN) + query("select 'the end'"))
        seen = []
        try:
            for _ in range(4):
                seen += link.until()
        except EOFError:
            seen += link.seen
        got = b"".join(body for _, body in seen)
    assert not [email for email in emails if email in got]
    assert "".join(kind for kind, _ in seen).endswith("EZTDDDCZ12TDDDCZTDCZ")
    assert b"the end" in seen[-3][1]
