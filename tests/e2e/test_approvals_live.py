"""Operators and real requests: following, programs, signatures, the live screen."""
import contextlib
import json
import os
import re
import select
import signal
import subprocess
from pathlib import Path

import pytest

from harness import signing, wire
from harness.holding import Asking, Operator, log_in
from harness.screen import Screen
from harness.system import must, wait_until
from harness.terminal import Terminal
from harness.wire import error_of

KINDS = ["select", "insert", "explain", "show", "set", "transaction", "cursor"]
APPROVE = Path(__file__).resolve().parents[2] / "contrib/gatehouse-approve"


def approve(name, match, **how):
    return {"name": name, "roles": ["agent"], "targets": ["orders"], "match": match, "action": "approve",
            "approve": {"by": ["dba"], "wait": "10m", **how}, "reason": f"{name} wants a second pair of eyes"}


RULES = [
    approve("sealed", {"tables": ["desk_sealed"]}, signed=True),
    approve("touched", {"tables": ["desk_touched"]}, signed=True, touch=True),
    approve("two", {"tables": ["desk_two"]}, quorum=2),
    approve("destructive", {"statements": ["delete", "update"]}),
    {"name": "agent-sql", "roles": ["agent"], "targets": ["orders"], "match": {"statements": KINDS}, "action": "allow"},
]
TABLES = ["desk_things", "desk_sealed", "desk_touched", "desk_two"]


@pytest.fixture(scope="module")
def desk(postgres):
    from harness.bastion import Bastion, settings
    for table in TABLES:
        postgres.query(f"set role app; create table {table} (id int primary key, text text)")
        postgres.query(f"insert into {table} select n, 'x' from generate_series(1, 100) n")
    made = Bastion(postgres, settings(postgres, rules=RULES, roles=[{"name": "agent"}, {"name": "dba"}])).start()
    yield made
    try:
        made.end()
    finally:
        for table in TABLES:
            postgres.query(f"drop table {table}")


@pytest.fixture(scope="module")
def forward(desk):
    with desk.client("local/agent-7", principals=["agent"]).forward() as made:
        yield made


def operator_of(desk, name):
    with desk.client(name, principals=["dba"]).master() as client:
        yield Operator(client)


@pytest.fixture(scope="module")
def anna(desk):
    yield from operator_of(desk, "local/anna")


@pytest.fixture(scope="module")
def ben(desk):
    yield from operator_of(desk, "local/ben")


@pytest.fixture
def link(forward, anna):
    with log_in(forward) as made:
        yield made
    # Nothing is left over for the next one to see.
    wait_until(lambda: not [r for r in anna.list() if r["state"] == "open"], "nothing waits any more", 20)


def ask(link, statement):
    return Asking(link, wire.query(statement))


# ---- commands

@pytest.mark.asan
def test_one_request_is_shown_whole_and_a_decision_names_what_was_seen(link, anna):
    asked = ask(link, "delete from desk_things where id = 1\n  and text = 'x'")
    request = anna.open("delete from desk_things where id = 1")
    text = anna.client.must("approvals", request["id"].lower())
    assert text.startswith(f"{request['id']}  open, ")
    for line in ("  who        local/agent-7", "  where      orders as app", "  rule       destructive: destructive wants a second pair of eyes",
                 "    delete from desk_things where id = 1", "      and text = 'x'", "    delete public.desk_things", f"  digest     {request['digest']}"):
        assert line in text.splitlines()
    other = anna.client.ssh("approve", request["id"], "--digest", "0" * 64)
    assert other.returncode == 77 and "the request is for something else than you have seen" in other.stderr
    done = anna.approve(request["id"], "--digest", request["digest"], "--reason", "as", "agreed")
    assert done == f"approved {request['id']}\n  local/agent-7 on orders: delete from desk_things where id = 1\\x0a  and text = 'x'\n"
    assert asked.answer()[0] == "CZ"
    assert "approved by local/anna: as agreed" in anna.client.must("approvals", request["id"])


def test_who_was_faster_is_told(link, anna, ben):
    asked = ask(link, "delete from desk_things where id = 2")
    request = anna.open("id = 2")
    anna.deny(request["id"], "--reason", "not today")
    done = ben.client.ssh("approve", request["id"])
    assert done.returncode == 77
    assert done.stderr == ("gatehouse: refused: denied by local/anna: not today (code decided)\n"
                           "gatehouse: next: `approvals ID` shows what became of it\n")
    assert error_of(asked.answer()[1])


def test_the_requester_may_look_and_not_decide(link, desk, anna):
    asked = ask(link, "delete from desk_things where id = 3")
    request = anna.open("id = 3")
    agent = desk.client("local/agent-7", principals=["agent"])
    assert request["id"] in agent.must("approvals")
    done = agent.ssh("approve", request["id"])
    assert done.returncode == 77 and "none of your roles may decide this request" in done.stderr
    stranger = desk.client("local/agent-8", principals=["agent"])
    assert request["id"] not in stranger.must("approvals")
    assert stranger.ssh("approvals", request["id"]).returncode == 77
    anna.deny(request["id"])
    asked.answer()


def test_names_and_statements_that_are_hostile_stay_text(desk, anna, link):
    evil = "\x1b[31mred\x07\r\u202e"
    with desk.client("local/evil" + evil, principals=["agent"]).forward() as own, log_in(own) as other:
        asked = ask(other, f"delete from desk_things where text = '{evil}\n{evil}'")
        request = anna.open("delete from desk_things where text")
        for shown in (anna.client.must("approvals"), anna.client.must("approvals", request["id"]), anna.deny(request["id"])):
            assert "\\x1b[31mred\\x07\\x0d\\u{202e}" in shown
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", shown)
        asked.answer()


# ---- following

def lines_of(process, seconds=30):
    """Objects, one a line; fails when none comes for so long."""
    held = b""
    while True:
        line, newline, rest = held.partition(b"\n")
        if newline:
            held = rest
            yield json.loads(line)
            continue
        assert select.select([process.stdout], [], [], seconds)[0], f"nothing comes; so far {held!r}"
        more = os.read(process.stdout.fileno(), 65536)
        if not more:
            return
        held += more


@pytest.mark.asan
def test_what_happens_is_followed_line_by_line(link, anna):
    with anna.client.running("approvals", "--json", "--follow") as process:
        lines = lines_of(process)
        asked = ask(link, "delete from desk_things where id = 4")
        first = next(lines)
        assert first["state"] == "open" and first["statement"] == "delete from desk_things where id = 4"
        anna.approve(first["id"], "--for", "1m")
        asked.answer()
        seen = []
        while "consumed" not in seen or "grant" not in seen:
            line = next(lines)
            seen.append("grant" if "grant" in line else line["state"])
            assert line.get("id", line.get("grant")) == first["id"]
        grants = anna.client.must("approvals", "--grants")
        assert first["id"] in grants
        assert f"revoked the grant {first['id']}" in anna.client.must("revoke-grant", first["id"], "--reason", "done")
        ended = next(line for line in lines if "grant" in line)
        assert ended["grant"] == first["id"] and ended["revoked"] == "local/anna"


def test_a_grant_lets_the_like_pass_and_describe_tells_of_it(link, desk, anna):
    asked = ask(link, "delete from desk_things where id = 5")
    request = anna.open("id = 5")
    done = anna.approve(request["id"], "--for", "10m")
    assert f"rule destructive asks nobody for local/agent-7 there for 10m; `revoke-grant {request['id']}` ends that" in done
    assert asked.answer()[0] == "CZ"
    assert link.ask(wire.query("delete from desk_things where id = 6"))[0].endswith("CZ")
    agent = desk.client("local/agent-7", principals=["agent"])
    assert request["id"] in agent.must("describe") and "until" in agent.must("describe")
    grant = json.loads(agent.must("describe", "--json"))["grants"][0]
    assert request["id"] in agent.must("whoami")
    assert grant["grant"] == request["id"] and grant["rule"] == "destructive" and grant["target"] == "orders"
    assert "two (orders), destructive (orders); see `approvals`" in anna.client.must("whoami")
    assert {"rule": "two", "targets": ["orders"]} in json.loads(anna.client.must("describe", "--json"))["decides"]
    assert agent.must("revoke-grant", request["id"]).startswith("revoked the grant")
    assert json.loads(agent.must("describe", "--json"))["grants"] == []


@pytest.mark.asan
def test_a_program_decides(link, anna):
    process = anna.client.start("approvals", options=["-s"], stdin=subprocess.PIPE)
    try:
        lines = lines_of(process)
        assert next(lines)["type"] == "hello"
        asked = ask(link, "delete from desk_things where id = 7")
        line = next(lines)
        request = line["request"]
        assert line["type"] == "request" and request["state"] == "open"

        def say(**members):
            process.stdin.write((json.dumps(members) + "\n").encode())
            process.stdin.flush()
        say(id=1, do="approve", request=request["id"], digest="0" * 64)
        answer = next(lines)
        assert answer["id"] == 1 and answer["ok"] is False and "something else" in answer["error"]
        say(id="x", do="approve", request=request["id"], digest=request["digest"], reason="said olga\nin #db")
        answers = {}
        while "answer" not in answers or answers.get("request", {}).get("state") != "consumed":
            line = next(lines)
            answers[line["type"]] = line if line["type"] == "answer" else line["request"]
        assert answers["answer"] == {"type": "answer", "id": "x", "ok": True, "request": request["id"], "state": "approved",
                                     "text": f"approved {request['id']}"}
        assert answers["request"]["decisions"][0]["reason"] == "said olga\nin #db"
        assert asked.answer()[0] == "CZ"
        say(id=3, do="show", request=request["id"])
        before = None
        while (line := next(lines))["type"] != "answer":
            before = line
        assert before["request"]["id"] == request["id"] and line["id"] == 3 and line["ok"]
        process.stdin.close()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


# ---- signatures

@pytest.mark.parametrize("form", ["key", "certificate"])
def test_a_signed_decision_can_be_checked_by_anybody_with_ssh_keygen_alone(link, desk, anna, tmp_path, form):
    agent = desk.client("local/agent-7", principals=["agent"])
    asked = ask(link, "delete from desk_sealed where id = " + ("1" if form == "key" else "2"))
    request = anna.open("delete from desk_sealed")
    assert request["signed"] is True
    refused = anna.client.ssh("approve", request["id"])
    assert refused.returncode == 77 and "the rule wants a signed decision (code unsigned)" in refused.stderr
    assert "gatehouse-approve" in refused.stderr
    message = anna.client.must("approvals", request["id"], "--message")
    assert message == f"{request['digest']}\nrequest {request['id']}\n"
    key = anna.client.key if form == "key" else anna.client.certificate
    done = anna.client.ssh("approve", request["id"], "--signature", input=signing.sign(tmp_path, message, key))
    assert done.returncode == 0, done.stderr
    assert asked.answer()[0] == "CZ"
    # Long after: nothing but what was kept, and the approver's key, or the CA's.
    decision = anna.list(request["id"])[0]["decisions"][0]
    assert decision["signed_message"] == message
    if form == "key":
        allowed, who, options = f'local/anna namespaces="approval@gatehouse" {signing.public_of(anna.client.key)}', "local/anna", ()
    else:
        allowed, who, options = f'dba cert-authority {signing.public_of(desk.user_ca)}', "dba", ()
    good = signing.verify(tmp_path, message, decision["signature"], allowed, who, *options)
    assert good.returncode == 0 and 'Good "approval@gatehouse" signature' in good.stdout, good.stderr
    events = [json.loads(line) for line in agent.must("replay", request["recording"], "--events").splitlines()]
    recorded = [d for event in events if event["event"] == "approval" and event["request"] == request["id"] for d in event["decisions"]]
    assert recorded and all((d["signed_message"], d["signature"]) == (message, decision["signature"]) for d in recorded)
    assert signing.verify(tmp_path, message.replace("request", "Request"), decision["signature"], allowed, who).returncode != 0


@pytest.mark.asan
def test_a_signature_over_something_else_does_not_count(link, desk, anna, ben, tmp_path):
    asked = ask(link, "delete from desk_sealed where id = 3")
    request = anna.open("delete from desk_sealed where id = 3")
    message = anna.client.must("approvals", request["id"], "--message")
    longer = anna.client.must("approvals", request["id"], "--message", "--for", "1h")
    assert longer == message + "for 1h\n"
    for signature, why in [(signing.sign(tmp_path, message + " ", anna.client.key), "it is not a signature over this"),
                           (signing.sign(tmp_path, longer, anna.client.key), "it is not a signature over this"),
                           (signing.sign(tmp_path, message, ben.client.key), "by another key than the one that you are connected with")]:
        done = anna.client.ssh("approve", request["id"], "--signature", input=signature)
        assert done.returncode == 77 and why in done.stderr and "(code unsigned)" in done.stderr
    for nonsense in ("", "nonsense", "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n"):
        done = anna.client.ssh("approve", request["id"], "--signature", input=nonsense)
        assert done.returncode in (65, 77) and "gatehouse: next: " in done.stderr
    assert anna.client.ssh("approve", request["id"], "--signature", input="x" * 20000).returncode == 65
    assert anna.state(request["id"]) == "open"
    anna.deny(request["id"])  # needs none
    asked.answer()


def test_gatehouse_approve_shows_asks_signs_and_sends(link, anna, tmp_path):
    asked = ask(link, "delete from desk_sealed where id = 4")
    request = anna.open("delete from desk_sealed where id = 4")
    argv = [str(APPROVE), "-F", str(anna.client.config), "-i", str(anna.client.key), "--reason", "it's fine", "--for", "5m", "bastion",
            request["id"]]
    with Terminal(argv) as terminal:
        terminal.expect(r"delete from desk_sealed where id = 4")
        terminal.expect(r"Approve it, deny it, or leave it")
        terminal.line("a")
        terminal.expect(f"approved {request['id']}")
        assert terminal.wait() == 0
    assert asked.answer()[0] == "CZ"
    decision = anna.list(request["id"])[0]["decisions"][0]
    assert decision["reason"] == "it's fine" and decision["for_ms"] == 300000 and decision["signature"]
    anna.client.must("revoke-grant", request["id"])
    asked = ask(link, "delete from desk_sealed where id = 5")
    request = anna.open("delete from desk_sealed where id = 5")
    for words, status, left in [(["--deny"], 0, "denied"), (["--yes"], 77, "denied")]:
        done = subprocess.run([str(APPROVE), "-F", str(anna.client.config), *words, "bastion", request["id"]], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, done.stderr
        assert anna.state(request["id"]) == left
    asked.answer()


def test_a_security_key_signs_when_it_is_touched(link, desk, anna, tmp_path):
    helper = Path("/usr/lib/openssh/ssh-sk-helper")
    if not helper.exists():
        pytest.skip("no ssh-sk-helper")
    library = tmp_path / "sk_dummy.so"
    must("cc", "-shared", "-fPIC", "-Wno-deprecated-declarations", "-o", library, Path(__file__).parent / "harness/sk_dummy.c", "-lcrypto")
    from harness import keys
    key = desk.home / "key-sk"
    must("ssh-keygen", "-q", "-t", "ed25519-sk", "-w", library, "-N", "", "-f", key)
    owner = desk.client_with(key, keys.certify(desk.user_ca, key, name="local/sue", principals=["dba"]))
    provider = ("-o", f"SecurityKeyProvider={library}")
    asked = ask(link, "delete from desk_touched where id = 1")
    request = anna.open("delete from desk_touched")
    message = owner.ssh("approvals", request["id"], "--message", options=provider).stdout
    signature = signing.sign(tmp_path, message, key, env={**os.environ, "SSH_SK_PROVIDER": str(library)})
    done = anna.client.ssh("approve", request["id"], "--signature", input=signing.sign(tmp_path, message, anna.client.key))
    assert done.returncode == 77 and "a certificate on a security key" in done.stderr
    done = owner.ssh("approve", request["id"], "--signature", options=provider, input=signature)
    assert done.returncode == 0, done.stderr
    assert asked.answer()[0] == "CZ"


# ---- the screen

def screen_of(operator, rows=24, columns=80, words=("approvals",), env=None, options=()):
    return Screen(operator.client.argv(*words, options=["-t", *options]), rows, columns, env)


@pytest.mark.asan
def test_an_operator_approves_on_the_screen(link, anna):
    with screen_of(anna) as screen:
        screen.shows("Approvals: nothing waits")
        asked = ask(link, "delete from desk_things where id = 10")
        screen.shows("Approvals: 1 waits", "local/agent-7 on orders as app", "delete from desk_things where id = 10",
                     "rule destructive: destructive wants a second pair of eyes")
        request = anna.open("id = 10")
        screen.send("a")
        screen.shows(f"approve {request['id']}, reason")
        screen.send("looks right\r")
        screen.shows("also for")
        screen.send("\r")
        assert asked.answer()[0] == "CZ"
        screen.shows("ran, approved by local/anna")
        screen.send("q")
        assert screen.wait() == 0
        assert screen.is_restored
    decision = anna.list(request["id"])[0]["decisions"][0]
    assert decision["reason"] == "looks right" and decision["for_ms"] == 0


def test_a_narrow_screen_denies_and_is_resized(link, anna):
    with screen_of(anna, rows=20, columns=40) as screen:
        asked = ask(link, "update desk_things set text = 'a value that is rather long' where id = 11")
        screen.shows("Approvals: 1 waits", "  local/agent-7 on orders as app", "  update desk_things set text = 'a value")
        screen.resize(30, 100)
        screen.shows("a approve  d deny", "update desk_things set text = 'a value that is rather long' where id = 11")
        screen.resize(12, 40)
        screen.lacks("a approve  d deny")
        screen.send("d")
        screen.shows("reason:")
        screen.send("no\x7fot at night\r")
        fault = error_of(asked.answer()[1])
        assert "denied by local/anna: not at night" in fault["M"]
        screen.shows("denied by local/anna")
        screen.send("\x03")
        assert screen.wait() == 0 and screen.is_restored


def test_anothers_decision_shows_at_once(link, anna, ben):
    with screen_of(anna) as screen:
        asked = ask(link, "delete from desk_things where id = 12")
        request = ben.open("id = 12")
        screen.shows("delete from desk_things where id = 12")
        screen.send("d")
        screen.shows("reason")
        screen.send("beca")
        ben.approve(request["id"], "--reason", "I was there first")
        screen.shows("approved by local/ben", "nothing was sent (Enter)")
        screen.send("use it is wrong\rq")
        assert screen.wait() == 0
        assert asked.answer()[0] == "CZ"
    assert [d["by"] for d in anna.list(request["id"])[0]["decisions"]] == ["local/ben"]


def test_the_session_is_looked_at_and_followed(link, anna, ben):
    link.ask(wire.query("select 'what came before'"))
    asked = ask(link, "delete from desk_things where id = 13")
    with screen_of(anna) as screen:
        request = anna.open("id = 13")
        screen.shows("delete from desk_things where id = 13")
        screen.send("s")
        screen.shows("what came before", "any key: back")
        screen.send("x")
        screen.shows("Approvals: 1 waits")
        screen.send("f")
        screen.shows("what came before")
        ben.approve(request["id"])
        asked.answer()
        link.ask(wire.query("select 'and what came ' || 'later'"))
        screen.shows("and what came later")
        screen.send("q")
        screen.shows("ran, approved by local/ben")
        screen.send("q")
        assert screen.wait() == 0 and screen.is_restored
    refused = anna.client.ssh("replay", request["recording"], "--text")
    assert refused.returncode == 77  # by its id alone only whoever may replay


def test_a_recording_is_followed_until_the_session_ends(forward, desk, anna):
    agent = desk.client("local/agent-7", principals=["agent"])
    with contextlib.ExitStack() as session:
        other = session.enter_context(log_in(forward))
        other.ask(wire.query("select 'from the begin' || 'ning'"))
        asked = ask(other, "delete from desk_things where id = 30")
        request = anna.open("id = 30")
        with agent.running("replay", request["recording"], "--events", "--follow") as process:
            events = lines_of(process)
            while (event := next(events))["event"] != "approval":
                pass
            assert event["request"] == request["id"] and event["state"] == "open"
            anna.approve(request["id"])
            asked.answer()
            while (event := next(events))["event"] != "approval" or event["state"] != "consumed":
                pass
            session.close()
            assert [event["event"] for event in events][-1] == "end"
            assert process.wait(20) == 0


def test_colour_is_left_out_where_it_is_not_wanted(link, desk, anna):
    alone = Operator(desk.client("local/anna", principals=["dba"]))  # a master would send its own environment
    asked = ask(link, "delete from desk_things where id = 14")
    request = anna.open("id = 14")
    colour = re.compile(rb"\x1b\[[0-9;]*3[0-7]m")
    for env, options, coloured in [({}, (), True), ({"NO_COLOR": "1"}, ("-o", "SendEnv=NO_COLOR"), False), ({"TERM": "vt100"}, (), False)]:
        with screen_of(alone, env=env, options=options) as screen:
            screen.shows(request["id"])
            screen.shows("delete from desk_things where id = 14")
            assert bool(colour.search(screen.raw)) == coloured
            screen.send("q")
            assert screen.wait() == 0
    with Terminal(anna.client.argv("approvals", options=["-t"]), env={"TERM": "dumb"}) as terminal:
        terminal.expect(r"ID +STATE +LEFT.*" + request["id"])
        assert terminal.wait() == 0 and b"\x1b" not in terminal.raw
    anna.deny(request["id"])
    asked.answer()


def test_what_is_signed_is_told_on_the_screen(link, anna):
    asked = ask(link, "delete from desk_sealed where id = 20")
    with screen_of(anna) as screen:
        request = anna.open("desk_sealed where id = 20")
        screen.shows("decided by dba, signed")
        screen.send("a")
        screen.shows("gatehouse-approve BASTION ID")
        screen.send("\rd\r")
        asked.answer()
        screen.shows("denied by local/anna")
        screen.send("q")
        assert screen.wait() == 0
    assert anna.state(request["id"]) == "denied"


def test_only_what_changed_is_sent(link, anna):
    held = ask(link, "delete from desk_things where id = 15")
    with screen_of(anna) as screen:
        request = anna.open("id = 15")
        screen.shows("delete from desk_things where id = 15")
        screen.shows(">" + request["id"])
        before = len(screen.raw)
        screen.send("a")
        screen.shows("approve " + request["id"])
        assert len(screen.raw) - before < 200
        screen.send("\x1b")
        screen.shows("nothing was sent")
        screen.send("q")
        assert screen.wait() == 0
    anna.deny(request["id"])
    held.answer()


@pytest.mark.kills
def test_the_terminal_is_restored_when_the_session_is_ended(new_bastion):
    made = new_bastion(rules=RULES, roles=[{"name": "agent"}, {"name": "dba"}])
    anna = made.client("local/anna", principals=["dba"])
    with Screen(anna.argv("approvals", options=["-t"])) as screen:
        screen.shows("Approvals: nothing waits")
        made.one("ledger").kill(signal.SIGKILL)
        screen.expect("gatehouse: unavailable: the recording was lost", 20)
        screen.wait()
        assert screen.is_restored
