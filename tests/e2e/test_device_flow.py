"""The device flow (RFC 8628) through ssh: a code on the terminal, a person with a browser, a certificate on stdout."""
import re
import subprocess
import time

import pytest

from harness import enrol
from harness.bastion import Bastion, settings
from harness.client import interrupt
from harness.oidc import Provider
from harness.system import TOP, run, stop, wait_until
from harness.terminal import Terminal

LOGIN = TOP / "contrib" / "gatehouse-login"
CODE = r"\b([BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4})\b"


@pytest.fixture
def provider(tls_files):
    made = Provider(tls_files).start()
    yield made
    made.remove()


@pytest.fixture
def house(new_bastion, provider):
    return new_bastion(**enrol.keywords(provider.configuration(username_claim="email")))


def polls(provider):
    return [one for one in provider.requests("/token") if one["method"] == "POST"]


class Enrolment:
    """ssh enroll@bastion with nothing on stdin: stdout and stderr apart, as without a terminal."""

    def __init__(self, client, *words):
        self.client = client
        self.process = client.start(*words, options=["-l", "enroll"], text=True)
        self.said = ""

    def wait_code(self, provider):
        """(address, code) as the person reads them on stderr."""
        while not re.search(CODE, self.said):
            line = self.process.stderr.readline()
            assert line, f"no code: {self.said!r}, exit {self.process.wait(10)}\n{self.client.bastion.log()[-3000:]}"
            self.said += line
        assert f"{provider.issuer}/device" in self.said
        return f"{provider.issuer}/device", re.search(CODE, self.said)[1]

    def end(self, seconds=30):
        """(status, stdout, stderr)"""
        out, err = self.process.communicate(timeout=seconds)
        return self.process.returncode, out, self.said + err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.process)
        for stream in (self.process.stdout, self.process.stderr):
            stream.close()


def test_a_person_at_a_terminal_gets_a_certificate(house, provider):
    client = enrol.new_client(house)
    line = house.home / "line"
    command = " ".join(client.argv(options=["-t", "-l", "enroll"]))
    with Terminal(["sh", "-c", f"{command} > {line}"]) as terminal:
        terminal.expect(re.escape(provider.issuer) + "/device")
        code = terminal.expect(CODE)[1] if not re.search(CODE, terminal.text) else re.search(CODE, terminal.text)[1]
        provider.person().approve(f"{provider.issuer}/device", code)
        assert terminal.wait(30) == 0, terminal.text
    enrol.keep(client, line.read_text().replace("\r\n", "\n"))
    found = enrol.listing(client.certificate)
    assert found["Key ID"] == "corp/alice@example.com"
    assert sorted(found["Principals"]) == ["agent", "ops"]
    said = client.must("whoami")
    assert "corp/alice@example.com" in said


@pytest.mark.asan
def test_without_a_terminal_an_empty_stdin_asks_for_it_too(house, provider):
    client = enrol.new_client(house)
    with Enrolment(client) as enrolment:
        provider.person().approve(*enrolment.wait_code(provider))
        status, out, _ = enrolment.end()
    assert status == 0
    enrol.keep(client, out)
    done = client.psql("-Atc", "select 1")
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_the_issuer_may_be_named(house, provider):
    client = enrol.new_client(house)
    with Enrolment(client, "corp") as enrolment:
        provider.person().approve(*enrolment.wait_code(provider))
        status, out, _ = enrolment.end()
    assert status == 0
    enrol.keep(client, out)


def test_an_issuer_that_is_not_there_is_refused(house):
    with Enrolment(enrol.new_client(house), "nobody") as enrolment:
        status, out, err = enrolment.end()
    assert (status, out) == (64, "")
    assert "the name of an issuer" in err


def test_a_person_without_a_role_gets_nothing(house, provider):
    with Enrolment(enrol.new_client(house)) as enrolment:
        provider.person().approve(*enrolment.wait_code(provider), login="bob")
        status, out, err = enrolment.end()
    assert (status, out) == (77, "")
    assert "role" in err


@pytest.mark.asan
def test_who_says_no_is_obeyed(house, provider):
    with Enrolment(enrol.new_client(house)) as enrolment:
        provider.person().refuse(*enrolment.wait_code(provider))
        status, out, err = enrolment.end()
    assert (status, out) == (77, "")
    assert "refused" in err or "denied" in err
    assert len(polls(provider)) >= 1


@pytest.mark.slow
def test_a_provider_that_wants_to_be_asked_less_often_is(new_bastion, tls_files):
    provider = Provider(tls_files, slow_downs=1).start()
    try:
        house = new_bastion(**enrol.keywords(provider.configuration()))
        with Enrolment(enrol.new_client(house)) as enrolment:
            address, code = enrolment.wait_code(provider)
            wait_until(lambda: len(polls(provider)) >= 2, "the second poll", 30)
            provider.person().approve(address, code)
            status, _, err = enrolment.end(40)
        assert status == 0, err
        first, second = polls(provider)[:2]
        assert first["error"] == "slow_down"
        assert second["at"] - first["at"] >= 5.5  # RFC 8628 3.5: five seconds more than the one before
    finally:
        provider.remove()


@pytest.mark.slow
def test_the_interval_of_the_provider_is_kept(new_bastion, tls_files):
    provider = Provider(tls_files, interval=2).start()
    try:
        house = new_bastion(**enrol.keywords(provider.configuration()))
        with Enrolment(enrol.new_client(house)) as enrolment:
            enrolment.wait_code(provider)
            wait_until(lambda: len(polls(provider)) >= 3, "three polls", 30)
        times = [one["at"] for one in polls(provider)[:3]]
        assert min(b - a for a, b in zip(times, times[1:])) >= 1.8
    finally:
        provider.remove()


@pytest.mark.slow
def test_a_code_that_nobody_enters_runs_out(new_bastion, tls_files):
    provider = Provider(tls_files, ttl={"DeviceCode": 3}).start()
    try:
        house = new_bastion(**enrol.keywords(provider.configuration()))
        with Enrolment(enrol.new_client(house)) as enrolment:
            enrolment.wait_code(provider)
            status, out, err = enrolment.end(40)
        assert status in (69, 75, 77) and out == ""
        assert "expired" in err or "in time" in err or "ran out" in err, err
    finally:
        provider.remove()


def is_quiet(provider):
    """Nobody asks any more."""
    before = len(polls(provider))
    time.sleep(2.5)
    return len(polls(provider)) == before


@pytest.mark.slow
@pytest.mark.parametrize("how", ["terminal", "signal", "gone"])
def test_who_gives_up_is_not_asked_for_any_longer(house, provider, how):
    client = enrol.new_client(house)
    if how == "terminal":
        with Terminal(client.argv(options=["-t", "-l", "enroll"])) as terminal:
            terminal.expect(CODE)
            wait_until(lambda: polls(provider), "a poll", 15)
            terminal.send("\x03")
            assert terminal.wait(10) != 0
    else:
        with Enrolment(client) as enrolment:
            enrolment.wait_code(provider)
            wait_until(lambda: polls(provider), "a poll", 15)
            if how == "signal":
                interrupt(enrolment.process)
            else:
                enrolment.process.kill()
            assert enrolment.process.wait(10) != 0
    house.wait_idle()
    wait_until(lambda: is_quiet(provider), "nobody asks the provider any more", 10)


def test_without_an_issuer_that_has_it_the_way_by_token_is_told(new_bastion):
    house = new_bastion(**enrol.keywords(enrol.LOCAL))
    with Enrolment(enrol.new_client(house)) as enrolment:
        status, out, err = enrolment.end()
    assert status in (64, 65) and out == ""
    assert "token" in err


def test_a_provider_that_is_away_is_said_to_be(house, provider):
    provider.stop()
    with Enrolment(enrol.new_client(house)) as enrolment:
        status, out, err = enrolment.end(60)
    assert (status, out) == (69, "")
    assert "corp" in err


def test_two_people_at_once_do_not_get_each_others_certificates(house, provider):
    one, other = enrol.new_client(house), enrol.new_client(house)
    with Enrolment(one) as first, Enrolment(other) as second:
        codes = first.wait_code(provider), second.wait_code(provider)
        provider.person().approve(*codes[1], login="carol")
        provider.person().approve(*codes[0], login="alice")
        ends = first.end(), second.end()
    assert [status for status, _, _ in ends] == [0, 0], f"{ends}\n{house.log()}"
    for client, (_, line, _), name in ((one, ends[0], "alice"), (other, ends[1], "carol")):
        enrol.keep(client, line)
        assert enrol.listing(client.certificate)["Key ID"] == f"corp/{name}@example.com"


def test_the_device_flow_needs_no_more_than_one_process_of_ssh(house, provider):
    """What a person types, literally: ssh enroll@bastion > certificate."""
    client = enrol.new_client(house)
    process = subprocess.Popen(["ssh", "-F", str(client.config), "enroll@bastion"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = ""
        while not re.search(CODE, said):
            line = process.stderr.readline()
            assert line, said
            said += line
        provider.person().approve(f"{provider.issuer}/device", re.search(CODE, said)[1])
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, err
        enrol.keep(client, out)
    finally:
        stop(process)


@pytest.mark.parametrize("words", [[], ["--issuer", "corp"]])
def test_gatehouse_login_shows_the_code_and_keeps_the_certificate(house, provider, tmp_path, words):
    client = enrol.new_client(house)
    login = [str(LOGIN), "--device", *words, "--directory", str(tmp_path / "keep"), "-F", str(client.config), "bastion"]
    with subprocess.Popen(login, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = ""
        while not re.search(CODE, said):
            line = process.stderr.readline()
            assert line, said
            said += line
        provider.person().approve(f"{provider.issuer}/device", re.search(CODE, said)[1])
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (0, ""), err
    assert enrol.listing(tmp_path / "keep" / "bastion-cert.pub")["Key ID"] == "corp/alice@example.com"
    again = run(*login)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
