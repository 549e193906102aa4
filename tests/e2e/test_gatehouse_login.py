"""contrib/gatehouse-login: the certificate is there when ssh needs it, and nothing happens when it is there already."""
import http.server
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

from harness import enrol, keys
from harness.bastion import Bastion, settings
from harness.system import TOP, run, stop, wait_until

LOGIN = TOP / "contrib" / "gatehouse-login"
WATCHED = ["ssh", "ssh-keygen", "sed", "cat", "mkdir", "mv", "rm", "curl", "timeout", "sh", "flock", "head", "find"]


@pytest.fixture(scope="module")
def house(postgres):
    whole = settings(postgres, **enrol.keywords(enrol.LOCAL))
    whole["roles"].append({"name": "by-hand"})  # without claims: see put_certificate
    made = Bastion(postgres, whole).start()
    yield made
    made.remove()


class Machine:
    """An agent's home with blanks in its name, and a PATH on which every program leaves a line when it starts."""

    def __init__(self, bastion, directory, without=()):
        self.bastion = bastion
        self.home = directory / "home of an agent"
        self.home.mkdir(parents=True)
        self.keep = self.home / ".ssh" / "gatehouse"
        self.key, self.certificate = self.keep / "bastion", self.keep / "bastion-cert.pub"
        self.state = self.keep / "bastion.state"
        self.token = self.home / "a token"
        self.calls_path = directory / "calls"
        self.programs = directory / "programs"
        self._write_programs(without)
        self.config = self.home / "ssh config"
        self._write_config()

    def _write_programs(self, without):
        self.programs.mkdir()
        for name in os.listdir("/usr/bin"):
            if name not in WATCHED and name not in without:
                (self.programs / name).symlink_to(f"/usr/bin/{name}")
        for name in WATCHED:
            if name in without:
                continue
            script = self.programs / name
            script.write_text(f"#!/bin/sh\nprintf '%s\\n' \"{name} $*\" >>'{self.calls_path}'\n"
                              f"exec {shutil.which(name)} \"$@\"\n")
            script.chmod(0o755)

    def _write_config(self, *exec_words):
        client = self.bastion.client_with(enrol.new_client(self.bastion).key)
        lines = [line for line in client.config.read_text().splitlines() if "IdentityFile" not in line]
        lines += [f'  IdentityFile "{self.key}"', f'  CertificateFile "{self.certificate}"']
        if exec_words:
            quoted = " ".join(f"'{word}'" for word in exec_words)
            lines.append(f'Match originalhost bastion exec "{quoted}"')
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def renew_by_itself(self):
        """contrib/ssh_config's Match … exec."""
        self._write_config(LOGIN, "-F", self.config, "--token-file", self.token, "bastion")

    def environment(self, **more):
        return {"HOME": str(self.home), "PATH": str(self.programs), "LC_ALL": "C", **more}

    def words(self, *words):
        source = [] if any(str(word).startswith("--") for word in words) else ["--token-file", self.token]
        return [str(word) for word in (LOGIN, "-F", self.config, *source, *words, "bastion")]

    def login(self, *words, env=None, **options):
        return run(*self.words(*words), env=self.environment(**(env or {})), **options)

    def must(self, *words, **options):
        done = self.login(*words, **options)
        assert (done.returncode, done.stdout) == (0, ""), f"{done.returncode} {done.stderr}\n{self.bastion.log()[-2000:]}"
        return done.stderr

    def ssh(self, *words, **options):
        return run("ssh", "-F", self.config, "bastion", *words, env=self.environment(), **options)

    def put_token(self, sub="agent-7", **claims):
        self.token.write_text(enrol.mint(self.bastion, sub, **claims) + "\n", encoding="utf-8")

    def calls(self, program=None):
        lines = self.calls_path.read_text().splitlines() if self.calls_path.exists() else []
        return [line for line in lines if program is None or line.split(" ")[0] == program]

    def forget_calls(self):
        self.calls_path.unlink(missing_ok=True)

    def put_certificate(self, validity, name="local/agent-7"):
        """In place of the certificate that is there: one of the bastion's CA with this validity."""
        self.certificate.unlink(missing_ok=True)
        return keys.certify(self.bastion.user_ca, self.key, name=name, validity=validity, principals=["by-hand"])

    def is_certified(self):
        return enrol.listing(self.certificate)["Key ID"]

    def left(self):
        return sorted(path.name for path in self.keep.iterdir())


@pytest.fixture
def machine(house, tmp_path):
    made = Machine(house, tmp_path)
    made.put_token()
    return made


@pytest.fixture
def machine_without_flock(house, tmp_path):
    made = Machine(house, tmp_path, without=["flock"])
    made.put_token()
    return made


# ---------------------------------------------------------------- getting one, and keeping it

def test_the_first_call_makes_a_key_and_gets_a_certificate_for_it(machine):
    assert machine.must() == ""
    assert machine.is_certified() == "local/agent-7"
    assert machine.left() == ["bastion", "bastion-cert.pub", "bastion.lock", "bastion.pub", "bastion.state"]
    assert machine.keep.stat().st_mode & 0o777 == 0o700
    assert machine.key.stat().st_mode & 0o077 == 0
    done = machine.ssh("whoami")
    assert done.returncode == 0 and "local/agent-7" in done.stdout, done.stderr


def test_a_call_that_has_nothing_to_do_starts_no_program_and_says_nothing(machine):
    machine.must()
    machine.forget_calls()
    assert machine.must() == ""
    assert machine.calls() == []


def test_less_than_a_third_left_is_renewed_and_more_is_not(machine):
    machine.must()
    machine.put_certificate("-10m:+6m")
    before = machine.certificate.read_text()
    machine.must()
    assert machine.certificate.read_text() == before
    machine.put_certificate("-10m:+4m")
    before = machine.certificate.read_text()
    machine.must()
    assert machine.certificate.read_text() != before
    assert machine.is_certified() == "local/agent-7"


def test_the_key_stays_the_same_over_renewals(machine):
    machine.must()
    key = machine.key.read_bytes()
    machine.must("--token-file", machine.token, "--force")
    assert machine.key.read_bytes() == key


def test_force_renews_what_is_good(machine):
    machine.must()
    serial = enrol.listing(machine.certificate)["Serial"]
    machine.must("--token-file", machine.token, "--force")
    assert enrol.listing(machine.certificate)["Serial"] != serial


def test_an_expired_certificate_is_replaced(machine):
    machine.must()
    machine.put_certificate("-2h:-1h")
    machine.must()
    assert machine.ssh("whoami").returncode == 0


def test_a_certificate_without_an_end_is_left_alone(machine):
    machine.must()
    machine.put_certificate("always:forever")
    machine.forget_calls()
    machine.must()
    machine.must()
    assert machine.calls("ssh") == []


@pytest.mark.parametrize("garbage", ["", "1", "1 99999999999 99999999999", "1 x y\na\nb", "2 1 1\nk\nc", "\0\1\2",
                                     "1 999999999999999999999 9\n"])
def test_a_state_that_is_garbage_is_made_anew(machine, garbage):
    machine.must()
    machine.put_certificate("-10m:+1m")
    machine.state.write_text(garbage)
    before = machine.certificate.read_text()
    machine.must()
    assert machine.certificate.read_text() != before


def test_a_lost_state_costs_no_enrolment(machine):
    machine.must()
    machine.state.unlink()
    machine.forget_calls()
    machine.must()
    assert machine.calls("ssh") == []
    assert machine.state.exists()


def test_a_certificate_that_was_replaced_by_hand_is_seen_even_if_it_is_older(machine):
    machine.must()
    machine.put_certificate("-10m:+1m")
    os.utime(machine.certificate, (1, 1))
    machine.must()
    assert "local/agent-7" == machine.is_certified()
    assert len(machine.calls("ssh")) == 2


def test_a_new_key_gets_a_new_certificate(machine):
    machine.must()
    for path in (machine.key, machine.keep / "bastion.pub"):
        path.unlink()
    keys.new_key(machine.key, "ecdsa")
    machine.must()
    assert "ECDSA-CERT" in enrol.listing(machine.certificate)["Public key"]
    assert machine.ssh("whoami").returncode == 0


def test_a_lost_public_half_is_made_again(machine):
    machine.must()
    (machine.keep / "bastion.pub").unlink()
    machine.must()
    assert (machine.keep / "bastion.pub").exists()


# ---------------------------------------------------------------- behind Match … exec

def test_plain_ssh_renews_by_itself(machine):
    machine.renew_by_itself()
    done = machine.ssh("psql", "orders", "-Atc", "'select 40 + 2'")
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    serial = enrol.listing(machine.certificate)["Serial"]
    assert machine.ssh("whoami").returncode == 0
    assert enrol.listing(machine.certificate)["Serial"] == serial
    machine.put_certificate("-10m:+1m")
    assert machine.ssh("whoami").returncode == 0
    assert enrol.listing(machine.certificate)["Serial"] not in (serial, "1")


def test_a_failed_renewal_lets_ssh_go_on_with_what_is_there(machine):
    machine.renew_by_itself()
    machine.must()
    machine.put_certificate("-10m:+2m")
    machine.put_token(groups="nobodies")
    done = machine.ssh("whoami")
    assert done.returncode == 0 and "local/agent-7" in done.stdout, done.stderr
    assert "role" in done.stderr  # what the bastion said
    assert "the old one is valid for another" in done.stderr
    # It is not tried again at every call.
    again = machine.ssh("whoami")
    assert (again.returncode, again.stderr) == (0, "")


def test_without_a_certificate_the_reason_stands_before_what_ssh_says(machine):
    machine.renew_by_itself()
    machine.put_token(groups="nobodies")
    done = machine.ssh("whoami")
    assert done.returncode == 255
    said = done.stderr.index("gatehouse-login: no certificate for bastion")
    assert said < done.stderr.index("Permission denied")


EXAMPLES = [line.lstrip("# ") for line in (TOP / "contrib" / "ssh_config").read_text(encoding="utf-8").splitlines()
            if line.lstrip("# ").startswith("Match originalhost")]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_line_of_the_example_asks_for_something_that_there_is(tmp_path, example):
    """contrib/ssh_config, with a gatehouse-login in PATH that goes as far as its options."""
    stub = tmp_path / "gatehouse-login"
    stub.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" >'{tmp_path}/words'\n")
    stub.chmod(0o755)
    plain = [line for line in (TOP / "contrib" / "ssh_config").read_text(encoding="utf-8").splitlines()
             if not line.startswith("Match")]
    (tmp_path / "config").write_text("\n".join([*plain, example]) + "\n", encoding="utf-8")
    name = example.split()[2]
    done = run("ssh", "-G", "-F", tmp_path / "config", name, env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "certificatefile ~/.ssh/gatehouse/bastion-cert.pub" in done.stdout
    words = (tmp_path / "words").read_text().splitlines()
    assert words[-1] == "bastion"
    # What is wrong with these words would be told before the recursion is noticed.
    known = run(LOGIN, *words, env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "GATEHOUSE_LOGIN": "bastion"})
    assert (known.returncode, known.stdout, known.stderr) == (0, "", "")


# ---------------------------------------------------------------- many at once

def twenty(machine):
    running = [subprocess.Popen(machine.words(), env=machine.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True) for _ in range(20)]
    ends = [(process.communicate(timeout=60)[0], process.returncode) for process in running]
    assert ends == [("", 0)] * 20


def test_twenty_parallel_calls_make_one_enrolment(machine):
    twenty(machine)
    assert len(machine.calls("ssh")) == 1
    assert machine.left() == ["bastion", "bastion-cert.pub", "bastion.lock", "bastion.pub", "bastion.state"]
    assert machine.ssh("whoami").returncode == 0


def test_twenty_parallel_calls_make_one_enrolment_without_flock_too(machine_without_flock):
    machine = machine_without_flock
    twenty(machine)
    assert len(machine.calls("ssh")) == 1
    assert machine.left() == ["bastion", "bastion-cert.pub", "bastion.pub", "bastion.state"]


def test_many_plain_logins_at_once_enrol_once_and_all_come_in(machine):
    machine.renew_by_itself()
    running = [subprocess.Popen(["ssh", "-F", str(machine.config), "bastion", "whoami"], env=machine.environment(),
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
               for _ in range(10)]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0 and "local/agent-7" in out, err
    assert len([line for line in machine.calls("ssh") if " enroll " in line]) == 1


def test_a_lock_of_a_dead_process_is_taken_over(machine_without_flock):
    machine = machine_without_flock
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = machine.keep / "bastion.lock.d"
    lock.mkdir(parents=True)
    (lock / "pid").write_text(f"{dead.pid}\n")
    machine.must()
    assert not lock.exists()


def test_a_lock_without_an_owner_is_taken_over_when_it_is_old(machine_without_flock):
    machine = machine_without_flock
    lock = machine.keep / "bastion.lock.d"
    lock.mkdir(parents=True)
    old = time.time() - 300
    os.utime(lock, (old, old))
    machine.must()
    assert not lock.exists()


@pytest.mark.parametrize("flock", [True, False])
def test_while_another_renews_a_certificate_that_is_good_is_used_at_once(house, tmp_path, flock):
    machine = Machine(house, tmp_path, without=[] if flock else ["flock"])
    machine.put_token()
    machine.must()
    machine.put_certificate("-10m:+2m")
    machine.put_token(groups="nobodies")
    machine.must()  # writes down that this one is good for two minutes, and is not to be renewed for some seconds
    machine.state.write_text(machine.state.read_text().replace("1 ", "1 1 ", 1).replace(
        machine.state.read_text().split(" ")[1] + " ", "", 1))  # … which are over
    holder = None
    try:
        if flock:
            holder = subprocess.Popen(["flock", str(machine.keep / "bastion.lock"), "sleep", "60"])
            wait_until(lambda: run("flock", "-n", machine.keep / "bastion.lock", "true").returncode == 1, "the lock is held")
        else:
            lock = machine.keep / "bastion.lock.d"
            lock.mkdir()
            (lock / "pid").write_text(f"{os.getpid()}\n")
        machine.forget_calls()
        assert machine.must() == ""
        assert machine.calls("ssh") == []
    finally:
        if holder:
            stop(holder)


def test_who_is_interrupted_leaves_nothing_behind(machine):
    process = subprocess.Popen(machine.words("--token-command", "sleep 30"), env=machine.environment(), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until(lambda: machine.calls("sh"), "the token command runs")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(10) != 0
    assert [name for name in machine.left() if ".new." in name] == []
    machine.must()


# ---------------------------------------------------------------- where tokens come from

def test_a_variable_of_the_environment(machine):
    machine.must("--token-env", "AGENT_TOKEN", env={"AGENT_TOKEN": machine.token.read_text()})
    assert machine.is_certified() == "local/agent-7"


def test_a_command(machine):
    machine.must("--token-command", f"cat '{machine.token}'")
    assert machine.is_certified() == "local/agent-7"


def test_a_token_of_kubernetes(machine):
    machine.must(f"--kubernetes={machine.token}")
    assert machine.is_certified() == "local/agent-7"


@pytest.mark.parametrize("words, said", [
    (["--token-file", "/nonexistent/token"], "/nonexistent/token: cannot be read"),
    (["--token-file", "/dev/null"], "--token-file gives no token"),
    (["--token-command", "exit 3"], "the token command failed with exit status 3"),
    (["--token-command", "true"], "--token-command gives no token"),
    (["--token-command", "echo two words"], "something that is no token"),
    (["--token-command", "head -c 40000 /dev/zero | tr '\\0' a"], "something that is no token"),
    (["--token-env", "NOT_SET"], "--token-env gives no token"),
    (["--kubernetes"], "/var/run/secrets/gatehouse/token: cannot be read"),
    (["--github"], "id-token: write"),
])
def test_a_source_without_a_token_is_named_and_nobody_is_asked(machine, words, said):
    done = machine.login(*words)
    assert (done.returncode, done.stdout) == (65, "")
    assert said in done.stderr
    assert "no certificate for bastion" in done.stderr
    assert machine.calls("ssh") == []


class GitHub(http.server.BaseHTTPRequestHandler):
    """GitHub's token service, as a job of Actions meets it."""

    def do_GET(self):
        self.server.seen.append((self.path, self.headers.get("Authorization")))
        body = self.server.answer.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def github(machine):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
    server.seen, server.status = [], 200
    server.answer = '{"count":1,"value":"%s"}' % machine.token.read_text().strip()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.environment = {"ACTIONS_ID_TOKEN_REQUEST_URL": f"http://127.0.0.1:{server.server_port}/token?api-version=2.0",
                          "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-the-job-0123"}
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_job_of_github_actions(machine, github):
    machine.must("--github", env=github.environment)
    assert machine.is_certified() == "local/agent-7"
    assert github.seen == [("/token?api-version=2.0&audience=gatehouse", "Bearer of-the-job-0123")]


def test_the_audience_for_github_may_be_another(machine, github):
    machine.must("--github", "--audience", "urn:bastion:eu", env=github.environment)
    assert github.seen[0][0].endswith("&audience=urn:bastion:eu")


@pytest.mark.parametrize("status, answer", [(401, '{"message":"no"}'), (200, '{"count":0}'), (200, "<html> no </html>")])
def test_an_answer_of_github_without_a_token_is_no_token(machine, github, status, answer):
    github.status, github.answer = status, answer
    done = machine.login("--github", env=github.environment)
    assert done.returncode == 65
    assert machine.calls("ssh") == []


def test_github_is_asked_by_https_only(machine):
    done = machine.login("--github", env={"ACTIONS_ID_TOKEN_REQUEST_URL": "http://tokens.example.com/",
                                          "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x"})
    assert done.returncode == 65 and "https" in done.stderr
    assert machine.calls("curl") == []


def test_secrets_are_on_no_command_line_and_in_no_file(machine, github):
    machine.must("--github", env=github.environment)
    token = machine.token.read_text().strip()
    machine.token.unlink()
    assert not [line for line in machine.calls() if token in line or "of-the-job" in line]
    for path in machine.home.rglob("*"):
        if path.is_file():
            assert token.encode() not in path.read_bytes(), path


# ---------------------------------------------------------------- what goes wrong

@pytest.mark.parametrize("words", [
    [], ["bastion"], ["--device"], ["--device", "--github", "bastion"], ["--token-file"], ["--token-env", "a b", "bastion"],
    ["--token-env", "", "bastion"], ["--device", "-oProxyCommand=x"], ["--device", "--", "-oProxyCommand=x"],
    ["--device", "a/b"], ["--device", ".."], ["--device", "a b"], ["--device", "one", "two"], ["--nonsense", "bastion"],
    ["--github", "--audience", "a&b", "bastion"], ["--github", "--issuer", "corp", "bastion"],
    ["--device", "--issuer", "-v", "bastion"], ["--device", "--directory", "/tmp/100%", "bastion"],
    ["--token-file", "", "bastion"],
])
def test_wrong_usage_is_told(machine, words):
    done = run(LOGIN, *words, env=machine.environment())
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith("gatehouse-login: ")
    assert not machine.keep.exists()


def test_a_bastion_that_is_not_there_is_unavailable(machine):
    text = machine.config.read_text().replace(f"Port {machine.bastion.port}", "Port 9")
    machine.config.write_text(text)
    done = machine.login()
    assert done.returncode == 69
    assert "no certificate for bastion" in done.stderr


def test_a_refused_token_ends_as_the_bastion_says(machine):
    machine.put_token(groups="nobodies")
    assert machine.login().returncode == 77


def test_a_host_key_that_is_unknown_stops_it(machine):
    text = machine.config.read_text().replace("known_hosts", "unknown_hosts")
    machine.config.write_text(text)
    done = machine.login(timeout=30)
    assert done.returncode == 69
    assert "Host key verification failed" in done.stderr


def test_verbose_says_what_is_done(machine):
    said = machine.must("--token-file", machine.token, "--verbose")
    assert "made" in said and 'certified as "local/agent-7"' in said


def test_it_is_clean_to_shellcheck_and_to_dash():
    assert run("dash", "-n", LOGIN).returncode == 0
    if shutil.which("shellcheck"):
        done = run("shellcheck", "-s", "sh", LOGIN)
        assert done.returncode == 0, done.stdout
