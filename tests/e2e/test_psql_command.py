"""`ssh bastion psql TARGET …`: the real psql, in a sandbox."""
import re
import signal
import time

import pytest

from harness.client import quote
from harness.system import wait_until
from harness.terminal import Terminal

PROMPT = r"orders[=*!^-]*[>#] "


@pytest.fixture
def terminal(bastion, agent):
    with Terminal(agent.argv("psql", "orders", options=["-t"])) as made:
        made.expect(PROMPT, 20)
        yield made


@pytest.mark.asan
def test_a_statement_by_option(bastion, agent):
    done = agent.psql("-Atc", "select count(*) from customers")
    assert (done.returncode, done.stdout) == (0, "2000\n"), done.stderr


@pytest.mark.asan
def test_a_statement_as_one_types_it_without_a_second_pair_of_quotes(bastion, agent):
    assert agent.must("psql", "orders", "-At", "-c", "select count(*) from customers where id > 0 and city <> 'x'") == "2000\n"


@pytest.mark.parametrize("words", [[], ["-f", "-"]])
def test_statements_on_stdin(bastion, agent, words):
    done = agent.psql("-At", *words, input="select 1;\nselect 2;\n\\echo three\n")
    assert done.stdout.split() == ["1", "2", "three"], done.stderr


def test_describing_tables(bastion, agent):
    done = agent.psql("-c", "\\d payments")
    assert "order_id" in done.stdout and "Foreign-key" in done.stdout, done.stderr
    assert "customers" in agent.psql("-c", "\\dt").stdout


@pytest.mark.asan
def test_a_refusal_is_psqls_own_error_with_reason_rule_and_hint(bastion, agent):
    done = agent.psql("-c", "drop table payments")
    assert done.returncode == 1
    assert 'denied by rule "no-drop": agents do not change the schema' in done.stderr
    assert "DETAIL:" in done.stderr and "rule=no-drop" in done.stderr and "HINT:" in done.stderr


def test_copy_to_stdout_is_byte_exact(bastion, agent, postgres):
    done = agent.psql("-c", "copy (select id, total from orders order by id) to stdout")
    assert done.stdout.splitlines() == [f"{i}\t{t}" for i, t in postgres.query("select id, total from orders order by id")]


def test_copy_from_stdin(bastion, agent, postgres):
    rows = "".join(f"{200000 + i}\tN\tq{i}@example.net\tRome\t2026-01-01\n" for i in range(500))
    done = agent.psql("-At", input=f"begin;\ncopy customers from stdin;\n{rows}\\.\nselect count(*) from customers;\nrollback;\n")
    assert "2500" in done.stdout.split(), done.stderr


def test_output_formats(bastion, agent):
    assert agent.psql("--csv", "-c", "select 1 as a, 2 as b").stdout == "a,b\n1,2\n"
    assert "<table" in agent.psql("-H", "-c", "select 1").stdout


def test_variables_and_single_transactions(bastion, agent):
    done = agent.psql("-At", "-v", "n=5", "-1", "-f", "-", input="select :n + 1;\n")
    assert done.stdout == "6\n", done.stderr


@pytest.mark.parametrize("command", [
    "\\! id", "\\! /bin/sh -c id", "\\o |cat", "\\g |cat", "\\w |cat", "select 1 \\g |id", "\\set x `id`\n\\echo :x",
    "\\i /etc/passwd", "\\ir /etc/passwd", "\\copy customers to '/tmp/stolen'", "\\copy customers from '/etc/passwd'",
    "\\copy customers to program 'id'", "\\o /tmp/stolen\nselect 1;", "\\e", "\\lo_import /etc/passwd", "\\cd /\n\\! ls",
    "\\setenv PATH /bin\n\\! id", "\\s /tmp/stolen",
])
def test_there_is_no_way_from_psql_to_the_machine(bastion, agent, command):
    done = agent.psql("-At", input=f"{command}\nselect 'after';\n")
    seen = done.stdout + done.stderr
    assert "uid=" not in seen and "root:" not in seen, seen
    from pathlib import Path
    assert not Path("/tmp/stolen").exists()


@pytest.mark.parametrize("command", ["\\c - - 127.0.0.1 {port}", "\\connect 'host=127.0.0.1 port={port} user=postgres'",
                                     "\\c 'host={sockets} port={port} user=postgres dbname=orders'"])
def test_psql_cannot_connect_elsewhere(bastion, agent, postgres, command):
    line = command.format(port=postgres.port, sockets=postgres.sockets)
    done = agent.psql("-At", input=f"{line}\nselect current_user;\n")
    assert "postgres\n" not in done.stdout


@pytest.mark.parametrize("words", [["-h", "127.0.0.1"], ["-p", "1"], ["-U", "postgres"], ["-d", "postgres"], ["-f", "/etc/passwd"],
                                   ["-o", "/tmp/stolen"], ["-L", "/tmp/stolen"], ["--host=127.0.0.1"], ["postgres"],
                                   ["postgresql://127.0.0.1/x"]])
def test_options_that_reach_out_are_refused(bastion, agent, words):
    done = agent.psql(*words, "-Atc", "select current_user, current_database()")
    assert done.returncode != 0 or done.stdout in ("", "app|orders\n")


def with_environment(agent, statement, **variables):
    import os
    return agent.ssh("psql", "orders", quote("-Atc"), quote(statement), options=["-o", "SendEnv=" + " ".join(variables)],
                     env={**os.environ, "LC_ALL": "C", **variables})


def test_the_environment_of_the_client_does_not_matter(bastion, agent):
    done = with_environment(agent, "select current_user", PGHOST="127.0.0.9", PGUSER="postgres", PSQLRC="/etc/passwd",
                            LD_PRELOAD="/nothing.so", PGSERVICEFILE="/etc/passwd")
    assert done.stdout == "app\n", done.stderr


def test_settings_that_the_client_sends_along_are_passed_on(bastion, agent):
    done = with_environment(agent, "show statement_timeout", PGOPTIONS="-c statement_timeout=4321", PGAPPNAME="nightly")
    assert done.stdout == "4321ms\n", done.stderr
    assert with_environment(agent, "show application_name", PGAPPNAME="nightly").stdout == "nightly\n"


def test_a_role_that_the_client_sends_along_is_refused_with_a_reason(bastion, agent):
    done = with_environment(agent, "select current_user", PGOPTIONS="-c role=postgres")
    assert done.returncode != 0 and done.stdout == ""
    assert "can't be brought along at connection start: role" in done.stderr


def test_the_exit_status_is_psqls(bastion, agent):
    assert agent.psql("-v", "ON_ERROR_STOP=1", "-f", "-", input="select 1/0;\n").returncode == 3


def test_a_client_that_is_ended_in_a_query_leaves_nobody_on_the_bastion(bastion, ops, postgres):
    process = ops.start("psql", "orders", "-Atc", quote("select pg_sleep(3)"))
    try:
        wait_until(lambda: postgres.value("select count(*) from pg_stat_activity where query like '%pg_sleep(3)%'"
                                          " and state = 'active' and pid <> pg_backend_pid()"), "the query runs")
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        bastion.wait_idle()
        wait_until(lambda: not [p for p in bastion.processes() if p.kind == "psql"], "psql ended")
        # The server itself notices at its next word to the client, as without a bastion.
        wait_until(lambda: postgres.backends() == 0, "the target's session ended", 15)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


# -- on a terminal

def test_an_interactive_session(terminal):
    terminal.line("select count(*) from orders;")
    terminal.expect(r"\b5000\b")
    terminal.expect(PROMPT)
    terminal.line("\\q")
    assert terminal.wait() == 0


def test_a_refusal_on_a_terminal_leaves_the_prompt(terminal):
    terminal.line("drop table payments;")
    terminal.expect('denied by rule "no-drop"')
    terminal.expect(PROMPT)
    terminal.line("select 6 * 7;")
    terminal.expect(r"\b42\b")


def test_ctrl_c_cancels_the_query_and_keeps_the_session(bastion, ops):
    with Terminal(ops.argv("psql", "orders", options=["-t"])) as terminal:
        terminal.expect(PROMPT, 20)
        terminal.line("select pg_sleep(60);")
        time.sleep(1)
        terminal.send("\x03")
        terminal.expect("canceling statement due to user request")
        terminal.expect(PROMPT)
        terminal.line("select 6 * 7;")
        terminal.expect(r"\b42\b")


def test_ctrl_d_leaves(terminal):
    terminal.send("\x04")
    assert terminal.wait() == 0


def test_watch_runs_again_and_stops_by_ctrl_c(terminal):
    terminal.line("select 'tick' as t \\watch 0.3")
    terminal.expect("tick.*tick.*tick")
    terminal.send("\x03")
    terminal.expect(PROMPT)


def test_line_editing_and_history_work(terminal):
    terminal.line("select 40 + 2;")
    terminal.expect(r"\b42\b.*" + PROMPT)
    terminal.send("\x1b[A")
    terminal.expect(r"select 40 \+ 2;")
    terminal.send("\r")
    terminal.expect(r"\b42\b")


def test_the_size_of_the_window_is_known_and_follows(terminal):
    terminal.line("\\pset format wrapped")
    terminal.expect(PROMPT)
    terminal.line("select repeat('wide ', 100) as w;")
    terminal.expect(r"\(1 row\).*" + PROMPT)
    assert max(len(line) for line in terminal.text.splitlines()) <= 101
    terminal.resize(24, 60)
    time.sleep(0.5)
    mark = len(terminal.text)
    terminal.line("select repeat('wide ', 100) as w;")
    terminal.expect(r"\(1 row\)")
    rows = [line for line in terminal.text[mark:].splitlines() if re.search("wide wide", line)]
    assert rows and max(map(len, rows)) <= 61, rows


def test_a_shell_escape_on_a_terminal_gives_nothing(terminal):
    terminal.line("\\! id")
    terminal.expect(PROMPT)
    assert "uid=" not in terminal.text


def test_closing_the_terminal_ends_everything(bastion, agent, postgres):
    with Terminal(agent.argv("psql", "orders", options=["-t"])) as terminal:
        terminal.expect(PROMPT, 20)
    bastion.wait_idle()
    wait_until(lambda: not [p for p in bastion.processes() if p.kind == "psql"], "psql ended")
    wait_until(lambda: postgres.backends() == 0, "the target's session ended")
