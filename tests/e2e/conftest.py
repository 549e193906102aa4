"""Fixtures: one PostgreSQL and one bastion for most tests, a bastion of one's own for those that break things."""
import ctypes
import os
import signal
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from harness import hosts, keys  # noqa: E402
from harness.bastion import Bastion, settings  # noqa: E402
from harness.kube import Kube  # noqa: E402
from harness.postgres import Postgres  # noqa: E402
from harness.system import GATEHOUSE, must  # noqa: E402

PR_SET_CHILD_SUBREAPER = 36


def pytest_configure(config):
    # A shell that started us in the background has SIGINT ignored, and so would every ssh that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "slow: more than some seconds; left out by tests/run --quick")
    config.addinivalue_line("markers", "asan: also run on the sanitizer build")
    config.addinivalue_line("markers", "kills: processes die by signals in this test, and shall")


LIMIT, LONG_LIMIT = 300, 1200  # seconds: a test that hangs fails then, and says where


def pytest_collection_modifyitems(items):
    for item in items:
        is_long = item.path.name.startswith("test_kube") or item.get_closest_marker("slow")
        item.add_marker(pytest.mark.timeout(LONG_LIMIT if is_long else LIMIT))
    # Last, so that the API server may still be built while the others run.
    items.sort(key=lambda item: item.path.name.startswith("test_kube"))


@pytest.fixture(scope="session", autouse=True)
def orphans():
    """Processes that lose their parent become ours, so that one which was left behind can be seen."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for name in [name for name in os.environ if name.startswith("PG") or name == "SSH_AUTH_SOCK"]:
        del os.environ[name]
    # The leak check attaches to its own process, which jails forbid; unit tests look for leaks.
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    if not GATEHOUSE.exists():
        pytest.exit(f"{GATEHOUSE} is missing: build it, or set GATEHOUSE_BUILD", 2)
    yield
    from harness import processes
    left = [p for p in processes.below(os.getpid()) if p.kind in ("front", "gate", "vault", "ledger", "listener",
                                                                   "connector", "launcher", "issuer", "courier", "gatehouse", "postgres",
                                                                   "ssh", "node", "etcd", "kube-apiserver", "kube-controller-manager",
                                                                   "minikubelet", "kubectl")
            and p.alive()]
    for process in left:
        process.kill(signal.SIGKILL)
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def postgres(orphans):
    cluster = Postgres()
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory):
    """A CA and a server certificate for 127.0.0.1: (ca, certificate, key)."""
    at = tmp_path_factory.mktemp("tls")
    must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", at / "ca.key", "-out", at / "ca.crt",
         "-subj", "/CN=Test CA", "-days", "2")
    must("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", at / "server.key", "-out", at / "server.csr",
         "-subj", "/CN=localhost")
    (at / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    must("openssl", "x509", "-req", "-in", at / "server.csr", "-CA", at / "ca.crt", "-CAkey", at / "ca.key",
         "-CAcreateserial", "-out", at / "server.crt", "-days", "2", "-extfile", at / "names")
    return at / "ca.crt", at / "server.crt", at / "server.key"


@pytest.fixture(scope="session")
def tls_postgres(orphans, tls_files):
    cluster = Postgres(tls=tls_files[1:])
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def shared_bastion(postgres):
    made = Bastion(postgres)
    made.start()
    yield made
    made.end(kills=True)


@pytest.fixture
def bastion(shared_bastion, request):
    """The bastion that tests share: each must leave it as it was."""
    yield from shared_bastion.left_as_it_was(kills=request.node.get_closest_marker("kills"))


@pytest.fixture(scope="session")
def agent(shared_bastion):
    return shared_bastion.client("agent-7", principals=["agent"])


@pytest.fixture(scope="session")
def ops(shared_bastion):
    return shared_bastion.client("olga", principals=["ops"])


@pytest.fixture
def new_bastion(postgres, request):
    """Makes a bastion of the test's own: new_bastion(**top-level keys of gatehouse.yaml), started."""
    made = []

    def make(start=True, credentials=True, cluster=None, **changes):
        cluster = cluster or postgres
        one = Bastion(cluster, settings(cluster, **changes), credentials)
        made.append(one)
        return one.start() if start else one

    yield make
    faults = []
    for one in made:
        try:
            one.stop()
            faults += one.leaks()
            if not request.node.get_closest_marker("kills"):
                faults += one.trouble()
        finally:
            one.remove()
    assert faults == []


@pytest.fixture
def forward(bastion, agent):
    with agent.forward() as made:
        yield made


# -- SSH targets


@pytest.fixture(scope="session")
def host_place(tmp_path_factory):
    """A directory with the vault's key for hosts, and the CA that they trust."""
    place = tmp_path_factory.mktemp("hosts")
    keys.new_key(place / "vault_key")
    keys.new_key(place / "target_ca")
    return place


@pytest.fixture(scope="session")
def sshd(orphans, host_place):
    made = hosts.Sshd(host_place / "sshd", trusts=host_place / "target_ca.pub", kinds=("ed25519", "rsa", "ecdsa"),
                      authorized=[(host_place / "vault_key.pub").read_text()])
    yield made
    made.stop()


@pytest.fixture(scope="session")
def shared_host_bastion(postgres, sshd, host_place):
    by_ca = {"certificate_authority": "target-ca"}
    made = Bastion(postgres, settings(postgres, targets=[
        sshd.target("web1", credential="web1-key"),
        sshd.target("web2", **by_ca),
        sshd.target("rsa", **{**by_ca, "host_key": sshd.host_keys(["rsa"])}),
        sshd.target("other", **{**by_ca, "host_key": [(host_place / "vault_key.pub").read_text().strip()]}),
    ], rules=hosts.RULES, roles=[{"name": "agent"}, {"name": "ops"}, {"name": "guard", "may": ["replay", "kill"]}]))
    made.put_secret("web1-key", (host_place / "vault_key").read_text(), "ssh-key")
    made.put_secret("target-ca", (host_place / "target_ca").read_text(), "ssh-key")
    made.start()
    yield made
    made.end(kills=True)


@pytest.fixture
def host_bastion(shared_host_bastion, request):
    yield from shared_host_bastion.left_as_it_was(kills=request.node.get_closest_marker("kills"))


@pytest.fixture(scope="session")
def host_ops(shared_host_bastion):
    return shared_host_bastion.client("olga", principals=["ops"])


@pytest.fixture(scope="session")
def host_agent(shared_host_bastion):
    return shared_host_bastion.client("agent-7", principals=["agent"])


# -- Kubernetes targets


@pytest.fixture(scope="session")
def shared_kube(orphans):
    made = Kube()
    yield made
    made.remove()


@pytest.fixture
def kube(shared_kube):
    """The API server that tests share, one namespace each; when a part of it died, that is said, and not taken for our fault."""
    shared_kube.check()
    yield shared_kube
    shared_kube.check()
