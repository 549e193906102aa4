"""exec, attach, cp and port-forward by kubectl of two generations, through a forwarded port and as `ssh bastion kubectl`."""
import io
import os
import subprocess
import tarfile

import pytest

from harness.client import clean_environment, quote
from harness.kube_bastion import hello, kube_bastion
from harness.system import free_port, is_listening, must, run, stop, wait_until
from harness.terminal import Terminal

SPACE = "clients"
RULES = [
    {"name": "no-nodes", "roles": ["agent"], "targets": ["*"], "action": "deny", "reason": "nodes are not for agents",
     "match": {"resources": ["nodes"]}},
    {"name": "work", "roles": ["agent"], "targets": ["prod"], "action": "allow", "match": "anything"},
]


@pytest.fixture(scope="module")
def hello_port():
    with hello() as port:
        yield port


@pytest.fixture(scope="module")
def space(shared_kube):
    name = shared_kube.namespace(SPACE)
    shared_kube.pod(name, "web")
    return name


@pytest.fixture(scope="module", params=["kubectl", "kubectl-newer"])
def program(request, shared_kube):
    return shared_kube.newer_kubectl() if request.param == "kubectl-newer" else request.param


@pytest.fixture(scope="module")
def clients_bastion(program, shared_kube, space):
    made = kube_bastion(shared_kube, RULES, kubectl=shared_kube.kubectl_for_bastion(program))
    yield made
    made.end()


@pytest.fixture(scope="module")
def agent(clients_bastion):
    with clients_bastion.client("agent-7", principals=["agent"]).master() as shared:
        yield shared


@pytest.fixture(scope="module")
def forwarded(clients_bastion):
    with clients_bastion.client("agent-7", principals=["agent"]).forward("prod", 443) as forward:
        yield forward.port


class Kubectl:
    """`way` is what comes before the words of kubectl, in a shell's or in argv's form."""

    def __init__(self, argv, environment, at_bastion):
        self.argv, self.environment, self.at_bastion = [str(word) for word in argv], environment, at_bastion

    def words(self, *words):
        return [*self.argv, *(quote(word) if self.at_bastion else str(word) for word in ("-n", SPACE, *words))]

    def __call__(self, *words, **options):
        return run(*self.words(*words), env=self.environment, **options)


@pytest.fixture(params=["forwarded", "at the bastion"])
def kubectl(request, kube, program, agent, forwarded):
    if request.param == "at the bastion":
        return Kubectl(agent.argv("kubectl", "prod"), clean_environment(), True)
    return Kubectl([kube.bin / program, f"--server=http://127.0.0.1:{forwarded}", f"--cache-dir={kube.directory}/cache-clients-{program}"],
                   kube.environment(), False)


def test_exec_gives_both_streams_and_the_exit_status(kubectl):
    done = kubectl("exec", "-i", "web", "--", "sh", "-c", "cat; echo no >&2; exit 7", input="yes\n")
    assert (done.stdout, done.returncode) == ("yes\n", 7), done.stderr
    assert done.stderr.splitlines()[0] == "no"


def test_megabytes_pass_exec_both_ways(kubectl):
    sent = os.urandom(3 << 20)
    done = kubectl("exec", "-i", "web", "--", "cat", input=sent, bytes=True)
    assert done.returncode == 0 and done.stdout == sent


def test_a_terminal_is_one(kube, kubectl, agent):
    argv = kubectl.words("exec", "-it", "web", "--", "sh")
    if kubectl.at_bastion:
        argv = [argv[0], "-tt", *argv[1:]]
    with Terminal(argv, rows=31, columns=97, env=kubectl.environment) as screen:
        screen.line("while ! stty size | grep '31 97'; do sleep 0.1; done; echo fir''st")
        screen.expect("first")
        screen.resize(20, 50)
        screen.line("while ! stty size | grep '20 50'; do sleep 0.1; done; echo sec''ond")
        screen.expect("second")
        screen.line("exit 3")
        assert screen.wait() == 3


def test_files_go_in_and_out(kube, kubectl, program, tmp_path):
    (tmp_path / "file").write_bytes(os.urandom(300_000))
    pod = kube.pod_directory(SPACE, "web")
    place = f"in-{program}-{kubectl.at_bastion}"
    (pod / place).mkdir()
    (pod / place).chmod(0o777)
    if kubectl.at_bastion:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(tmp_path / "file", "file")
        done = kubectl("cp", "-", f"web:{place}", input=archive.getvalue(), bytes=True)
        assert done.returncode == 0, done.stderr
        done = kubectl("cp", f"web:{place}/file", "-", bytes=True)
        back = tarfile.open(fileobj=io.BytesIO(done.stdout)).extractfile("file").read()
    else:
        assert kubectl("cp", tmp_path / "file", f"web:{place}/file").returncode == 0
        assert kubectl("cp", f"web:{place}/file", tmp_path / "back").returncode == 0
        back = (tmp_path / "back").read_bytes()
    assert (pod / place / "file").read_bytes() == back == (tmp_path / "file").read_bytes()


def test_attach_hears_and_says(kubectl):
    done = kubectl("attach", "-i", "web", input="hello\n")
    assert "hello\n" in done.stdout, done.stderr


def test_kubectl_forwards_ports_through_a_forwarded_port(kube, program, forwarded, hello_port):
    local = free_port()
    argv = [str(kube.bin / program), f"--server=http://127.0.0.1:{forwarded}", "-n", SPACE, "port-forward", "pod/web", f"{local}:{hello_port}"]
    process = subprocess.Popen(argv, env=kube.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: is_listening(local) or process.poll() is not None, "kubectl listens", 30)
        assert must("curl", "-sS", f"http://127.0.0.1:{local}/hello") == "hello"
    finally:
        stop(process)
        process.stderr.close()
