"""Everything is recorded, can be found and replayed, and can't be changed unseen."""
import json
import time

import pytest

from harness import wire
from harness.client import quote
from harness.system import wait_until
from harness.terminal import Terminal


def sessions(client, *words):
    return [json.loads(line) for line in client.must("sessions", "--json", *map(quote, words)).splitlines()]


def recorded(client, mark, run):
    """Runs something that says `mark` and returns the session that holds it, sealed."""
    run()

    def found():
        return [s for s in sessions(client, "--grep", mark) if s.get("state", "sealed") != "live"]
    return wait_until(found, f"a sealed session with {mark}", 15, 0.2)[-1]


def events(client, session):
    return [json.loads(line) for line in client.must("replay", session["id"], "--events").splitlines()]


def path_of(bastion, session):
    found = list((bastion.state / "recordings").rglob(session["id"] + "*"))
    assert len(found) == 1, found
    return found[0]


@pytest.mark.asan
def test_a_command_is_listed_with_who_what_and_how_it_ended(bastion, agent):
    session = recorded(agent, "mark_list", lambda: agent.psql("-Atc", "select 1 as mark_list"))
    assert session["identity"] == "agent-7" and session["target"] == "orders" and session["kind"] == "exec"
    assert "mark_list" in session["command"]
    assert session["status"] == 0 and session["requests"] >= 1 and session["denied"] == 0
    assert session["id"] in agent.must("sessions")


@pytest.mark.asan
def test_a_forward_is_recorded_with_every_request_and_answer(bastion, agent):
    def run():
        with agent.forward() as forward:
            forward.query("select 'mark_forward', 6 * 7")
            forward.psql("-c", "drop table payments")
    session = recorded(agent, "mark_forward", run)
    assert session["kind"] == "forward"
    seen = events(agent, session)
    assert "mark_forward" in json.dumps(seen)
    text = agent.must("replay", session["id"], "--text")
    assert "mark_forward" in text and "42" in text


@pytest.mark.asan
def test_a_refused_statement_is_recorded_with_its_rule(bastion, agent):
    session = recorded(agent, "mark_refused", lambda: agent.psql("-c", "drop table payments /* mark_refused */"))
    assert session["denied"] == 1
    requests = [event for event in events(agent, session) if "deny" in json.dumps(event)]
    assert requests and "no-drop" in json.dumps(requests[0]) and "drop table payments" in json.dumps(requests[0])
    assert session["id"] in [s["id"] for s in sessions(agent, "--target", "orders")]


def test_bound_parameters_are_recorded(bastion, agent):
    def run():
        with agent.forward() as forward, wire.Wire(forward.port) as link:
            link.login()
            link.ask(wire.parse("select $1::text as mark_bound"), wire.bind(values=[b"the value itself"]), wire.execute(), wire.SYNC)
    session = recorded(agent, "mark_bound", run)
    assert "the value itself" in json.dumps(events(agent, session))


def test_a_terminal_session_replays_as_text_and_as_asciicast(bastion, agent):
    def run():
        with Terminal(agent.argv("psql", "orders", options=["-t"]), rows=30, columns=90) as terminal:
            terminal.expect(r"orders=> ", 20)
            terminal.line("select 'mark_terminal';")
            terminal.expect(r"\(1 row\)")
            terminal.line("\\q")
            terminal.wait()
    session = recorded(agent, "mark_terminal", run)
    assert "mark_terminal" in agent.must("replay", session["id"], "--text")
    lines = agent.must("replay", session["id"], "--cast").splitlines()
    head = json.loads(lines[0])
    assert head["version"] == 2 and (head["width"], head["height"]) == (90, 30)
    entries = [json.loads(line) for line in lines[1:]]
    assert all(isinstance(at, (int, float)) and kind in "oir" for at, kind, _ in entries)
    assert [e[0] for e in entries] == sorted(e[0] for e in entries)
    assert "mark_terminal" in "".join(text for _, kind, text in entries if kind == "o")


def test_replay_plays_in_the_terminal_with_its_timing(bastion, agent):
    def run():
        with Terminal(agent.argv("psql", "orders", options=["-t"])) as terminal:
            terminal.expect(r"orders=> ", 20)
            time.sleep(2)
            terminal.line("select 'mark_timing';")
            terminal.expect(r"\(1 row\)")
            terminal.line("\\q")
            terminal.wait()
    session = recorded(agent, "mark_timing", run)
    start = time.monotonic()
    with Terminal(agent.argv("replay", session["id"], options=["-t"])) as player:
        player.expect("mark_timing", 20)
        assert player.wait(20) == 0
    slow = time.monotonic() - start
    start = time.monotonic()
    with Terminal(agent.argv("replay", session["id"], "--speed", "50", options=["-t"])) as player:
        player.expect("mark_timing", 20)
        assert player.wait(20) == 0
    assert slow > 1.5 and time.monotonic() - start < slow


def test_others_see_neither_the_session_nor_that_it_is_there(bastion, agent):
    session = recorded(agent, "mark_private", lambda: agent.psql("-Atc", "select 'mark_private'"))
    other = bastion.client("agent-8", principals=["agent"])
    assert sessions(other) == []
    refused, missing = other.ssh("replay", session["id"], "--text"), other.ssh("replay", "0" * 12, "--text")
    assert refused.returncode == missing.returncode != 0 and refused.stdout == ""
    assert refused.stderr.replace(session["id"], "0" * 12) == missing.stderr


def test_a_role_that_may_replay_sees_everybodys(bastion, agent):
    session = recorded(agent, "mark_audited", lambda: agent.psql("-Atc", "select 'mark_audited'"))
    auditor = bastion.client("iris", principals=["auditor"])
    assert session["id"] in [s["id"] for s in sessions(auditor, "--identity", "agent-7")]
    assert "mark_audited" in auditor.must("replay", session["id"], "--text")


def test_sessions_can_be_filtered(bastion, agent):
    assert sessions(agent, "--target", "nothing") == []
    assert sessions(agent, "--grep", "never ever said by anybody") == []
    agent.psql("-Atc", "select 1")
    assert sessions(agent, "--since", "1h")


def test_an_id_from_outside_cannot_name_a_file(bastion, agent):
    for evil in ("../../audit/key", "/etc/passwd", "..", "0" * 200, "'0000 0000'"):
        done = agent.ssh("replay", evil, "--text")
        assert done.returncode != 0 and done.stdout == ""


@pytest.mark.asan
def test_play_and_verify_work_offline(bastion, agent):
    session = recorded(agent, "mark_offline", lambda: agent.psql("-Atc", "select 'mark_offline'"))
    for words in (["play", session["id"], "-c", bastion.file, "--text"], ["play", path_of(bastion, session), "--text"]):
        done = bastion.gatehouse(*words)
        assert done.returncode == 0 and "mark_offline" in done.stdout, done
    done = bastion.gatehouse("verify", session["id"], "-c", bastion.file)
    assert done.returncode == 0, done
    done = bastion.gatehouse("verify", "-c", bastion.file)
    assert done.returncode == 0, done


@pytest.fixture
def sealed(new_bastion):
    """A bastion of one's own, stopped, with two recordings."""
    bastion = new_bastion()
    client = bastion.client()
    for word in ("first", "second"):
        client.psql("-Atc", f"select '{word} recording'")
    found = sessions(client)
    bastion.stop()
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode == 0
    return bastion, [path_of(bastion, session) for session in found]


@pytest.mark.parametrize("offset", [8, 40, "middle", -1])
def test_an_edited_byte_is_found(sealed, offset):
    bastion, (path, _) = sealed
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 if offset == "middle" else offset] ^= 1
    path.write_bytes(raw)
    done = bastion.gatehouse("verify", "-c", bastion.file)
    assert done.returncode != 0 and path.name.split(".")[0] in done.stdout + done.stderr


def entries_of(raw):
    at, found = 8, []
    while at < len(raw):
        size = int.from_bytes(raw[at:at + 4], "big") + 4
        found.append(raw[at:at + size])
        at += size
    return found


@pytest.mark.parametrize("change", ["drop", "reorder", "cut tail", "repeat"])
def test_a_changed_sequence_of_entries_is_found(sealed, change):
    bastion, (path, _) = sealed
    raw = path.read_bytes()
    entries = entries_of(raw)
    assert len(entries) >= 4 and raw[:8] + b"".join(entries) == raw
    if change == "drop":
        del entries[2]
    elif change == "reorder":
        entries[1], entries[2] = entries[2], entries[1]
    elif change == "cut tail":
        del entries[-1]
    else:
        entries.insert(2, entries[1])
    path.write_bytes(raw[:8] + b"".join(entries))
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode != 0


def test_a_swapped_or_missing_file_is_found(sealed):
    bastion, (first, second) = sealed
    first.write_bytes(second.read_bytes())
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode != 0
    first.unlink()
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode != 0


def test_the_audit_chain_tells_of_its_own_changes(sealed):
    bastion, _ = sealed
    chain = next((bastion.state / "audit").glob("*.ghaud"))
    raw = chain.read_bytes()
    chain.write_bytes(raw[:-40])
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode != 0
    chain.write_bytes(raw[:200] + bytes([raw[200] ^ 1]) + raw[201:])
    assert bastion.gatehouse("verify", "-c", bastion.file).returncode != 0


def test_a_lost_index_is_made_again(new_bastion):
    bastion = new_bastion()
    client = bastion.client()
    client.psql("-Atc", "select 'before'")
    before = [s["id"] for s in sessions(client)]
    bastion.stop()
    for path in (bastion.state / "index").iterdir():
        path.unlink()
    bastion.start()
    assert [s["id"] for s in sessions(client)][:len(before)] == before
    assert sessions(client, "--grep", "before")


def test_output_beyond_the_limit_is_counted_instead_of_kept(new_bastion):
    bastion = new_bastion(recording={"output_limit": "64KiB"})
    client = bastion.client()
    session = recorded(client, "mark_limit", lambda: client.psql(
        "-Atc", "select 'mark_limit' || repeat('y', 1000) from generate_series(1, 2000)"))
    assert path_of(bastion, session).stat().st_size < 512 * 1024
    assert "omitted" in json.dumps(events(client, session))


def test_a_synced_recording_works(new_bastion):
    bastion = new_bastion(recording={"durability": "synced"})
    client = bastion.client()
    recorded(client, "mark_synced", lambda: client.psql("-Atc", "select 'mark_synced'"))
