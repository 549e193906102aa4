"""A real Kubernetes cluster of one node on loopback: etcd, kube-apiserver, its controller-manager and a small kubelet.

tests/e2e/kube/build makes the programs. What runs "in" a pod is a process of this machine, as nobody."""
import base64
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from .system import IS_ROOT, free_port, is_listening, must, run, stop, wait_until

BUILD = Path(__file__).resolve().parents[1] / "kube" / "build"
SKIP = "GATEHOUSE_KUBE_SKIP"  # tests/run sets it when there is no time left to build; it says so itself
CRASH = re.compile(r"unexpected fault|^panic:|fatal error:", re.M)
CONTROLLERS = "*,-nodelifecycle,-nodeipam,-route,-service,-cloud-node-lifecycle,-attachdetach"
AUDIT = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def programs():
    """The directory with kube-apiserver and the rest, built when it is not there: minutes."""
    if os.environ.get(SKIP):
        pytest.skip(os.environ[SKIP])
    done = run(BUILD, timeout=1200)
    assert done.returncode == 0, f"tests/e2e/kube/build: exit {done.returncode}\n{done.stderr[-4000:]}"
    return Path(done.stdout.split()[-1])


DIES_WITH_US = ["setpriv", "--pdeathsig=KILL"]  # also when pytest is killed
AS_NOBODY = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"] if IS_ROOT else []


class Authority:
    """A CA and what it signs, in files of one directory."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir(parents=True)
        must("openssl", "req", "-x509", *self._new_key("ca"), "-days", "2", "-subj", "/CN=test-ca", "-out", directory / "ca.crt")
        self.ca = directory / "ca.crt"

    def _new_key(self, name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.directory / f"{name}.key"]

    def issue(self, name, subject, extensions):
        """(certificate, key)"""
        at = self.directory / name
        must("openssl", "req", *self._new_key(name), "-subj", subject, "-out", f"{at}.csr")
        Path(f"{at}.ext").write_text(extensions + "\n")
        must("openssl", "x509", "-req", "-in", f"{at}.csr", "-CA", self.ca, "-CAkey", self.directory / "ca.key", "-CAcreateserial",
             "-days", "2", "-out", f"{at}.crt", "-extfile", f"{at}.ext")
        return Path(f"{at}.crt"), Path(f"{at}.key")


class Kube:
    """Tokens: `admin_token` may everything, and `plain_token` (user plain, group testers) what RBAC gives it: nothing at first."""

    def __init__(self):
        self.bin = programs()
        self.directory = Path(tempfile.mkdtemp(prefix="gatehouse-kube-"))
        self.directory.chmod(0o755)
        self.pods = self.directory / "pods"  # what runs in pods has its directories below, and its logs: NAMESPACE_POD/CONTAINER.log
        self.pods.mkdir()
        if IS_ROOT:
            shutil.chown(self.pods, "nobody", "nogroup")
        self.port, self.etcd_port, self.peer_port, self.kubelet_port, self.manager_port = self.ports = [free_port() for _ in range(5)]
        self.admin_token, self.plain_token = ("tok-" + secrets.token_hex(16) for _ in range(2))
        self.processes = {}
        self.kubelet = shutil.copy(self.bin / "minikubelet", self.directory)  # where nobody may look
        self._keys()
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    # -- files

    def _keys(self):
        self.authority = Authority(self.directory / "pki")
        server, client = "extendedKeyUsage=serverAuth", "extendedKeyUsage=clientAuth"
        self.authority.issue("apiserver", "/CN=kube-apiserver", f"subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,"
                             f"DNS:kubernetes.default.svc\n{server}")
        self.admin_certificate, self.admin_key = self.authority.issue("admin", "/O=system:masters/CN=cert-admin", client)
        self.authority.issue("kubelet-client", "/O=system:masters/CN=kubelet-client", client)
        self.authority.issue("kubelet", "/O=system:nodes/CN=system:node:node1", f"subjectAltName=IP:127.0.0.1,DNS:node1\n{server},clientAuth")
        pki = self.authority.directory
        must("openssl", "genrsa", "-out", pki / "sa.key", "2048")
        must("openssl", "rsa", "-in", pki / "sa.key", "-pubout", "-out", pki / "sa.pub")
        for path in pki.iterdir():
            path.chmod(0o644)  # the kubelet is nobody
        (self.directory / "tokens.csv").write_text(f"{self.admin_token},admin,u-admin,system:masters\n"
                                                   f"{self.plain_token},plain,u-plain,testers\n")
        (self.directory / "audit.yaml").write_text(AUDIT)
        self.kubeconfig = self.directory / "kubeconfig"
        self.kubeconfig.write_text(json.dumps(self.kubeconfig_with(token=self.admin_token)))

    @property
    def ca(self):
        return self.authority.ca

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def kubeconfig_with(self, **user):
        """A kubeconfig with everything inside; keyword arguments are the keys of its user."""
        return {"apiVersion": "v1", "kind": "Config", "current-context": "t",
                "clusters": [{"name": "t", "cluster": {"server": self.url,
                                                       "certificate-authority-data": base64.b64encode(self.ca.read_bytes()).decode()}}],
                "users": [{"name": "u", "user": user}], "contexts": [{"name": "t", "context": {"cluster": "t", "user": "u"}}]}

    # -- life

    def start(self):
        pki, at = self.authority.directory, self.directory
        etcd, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self._run("etcd", f"--data-dir={at}/etcd", "--name=t", f"--listen-client-urls={etcd}", f"--advertise-client-urls={etcd}",
                  f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=t={peer}",
                  "--unsafe-no-fsync", "--log-level=warn")
        self._run("kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
                  f"--secure-port={self.port}", "--endpoint-reconciler-type=none", f"--cert-dir={at}/certs",
                  f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key", f"--client-ca-file={self.ca}",
                  f"--token-auth-file={at}/tokens.csv", "--authorization-mode=Node,RBAC", "--anonymous-auth=true",
                  "--allow-privileged=true", f"--service-account-issuer={self.url}", f"--service-account-signing-key-file={pki}/sa.key",
                  f"--service-account-key-file={pki}/sa.pub", "--service-cluster-ip-range=10.96.0.0/24",
                  "--disable-admission-plugins=TaintNodesByCondition", f"--kubelet-certificate-authority={self.ca}",
                  f"--kubelet-client-certificate={pki}/kubelet-client.crt", f"--kubelet-client-key={pki}/kubelet-client.key",
                  "--kubelet-preferred-address-types=Hostname,InternalIP", f"--audit-policy-file={at}/audit.yaml",
                  f"--audit-log-path={at}/audit.log", "--max-requests-inflight=3000", "--max-mutating-requests-inflight=1000")
        wait_until(lambda: self._alive() and self._answers("/readyz"), "the API server is ready", 90, pause=0.1)
        config = f"={self.kubeconfig}"
        self._run("kube-controller-manager", f"--kubeconfig{config}", f"--authentication-kubeconfig{config}",
                  f"--authorization-kubeconfig{config}", "--bind-address=127.0.0.1", f"--secure-port={self.manager_port}", "--port=0",
                  f"--cert-dir={at}/certs", f"--service-account-private-key-file={pki}/sa.key", f"--root-ca-file={self.ca}",
                  "--leader-elect=false", "--use-service-account-credentials=true", f"--controllers={CONTROLLERS}")
        self._run("minikubelet", f"-addr=127.0.0.1:{self.kubelet_port}", f"-cert={pki}/kubelet.crt", f"-key={pki}/kubelet.key",
                  f"-client-ca={self.ca}", f"-kubeconfig={self.kubeconfig}", f"-root={self.pods}",
                  user=AS_NOBODY, program=self.kubelet)
        wait_until(lambda: self._alive() and is_listening(self.kubelet_port), "the kubelet listens", 60)
        wait_until(lambda: self._alive() and self._account("default"), "controllers work", 90)

    def _run(self, name, *words, user=(), program=None):
        with open(self.directory / f"{name}.log", "ab") as log:
            self.processes[name] = subprocess.Popen([*DIES_WITH_US, *user, str(program or self.bin / name), *words], stdin=subprocess.DEVNULL,
                                                    stdout=log, stderr=log, cwd=self.directory, env={"PATH": "/usr/bin:/bin"})

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _alive(self):
        """True, or an assertion that tells which of them died and what it said: not a fault of the bastion."""
        for name, process in self.processes.items():
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{self.log(name)[-3000:]}"
            found = CRASH.search(self.log(name)) if name != "etcd" else None
            assert not found, f"{name} crashed:\n{self.log(name)[found.start():][:3000]}"
        return True

    def check(self):
        self._alive()

    def remove(self):
        for name in reversed(self.processes):
            process = self.processes[name]
            if name != "etcd" and process.poll() is None:
                process.send_signal(signal.SIGKILL)  # the API server would wait a minute for its watches
            stop(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- past the bastion

    def request(self, method, path, body=None, token=None, kind="application/json"):
        """(status, text) as the administrator: to look at what really is."""
        link = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=ssl.create_default_context(cafile=str(self.ca)))
        try:
            headers = {"Authorization": f"Bearer {token or self.admin_token}", "Content-Type": kind}
            link.request(method, path, None if body is None else json.dumps(body), headers)
            answer = link.getresponse()
            return answer.status, answer.read().decode()
        finally:
            link.close()

    def must(self, method, path, body=None, **more):
        status, text = self.request(method, path, body, **more)
        assert status < 300, f"{method} {path}: {status} {text}"
        return json.loads(text)

    def get(self, path):
        return self.must("GET", path)

    def _answers(self, path):
        try:
            return self.request("GET", path)[0] == 200
        except OSError:
            return False

    def _account(self, namespace):
        """Whether pods may be made: the service account is there, and its token."""
        status, text = self.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts/default")
        return status == 200 and json.loads(text).get("secrets")

    def namespace(self, name):
        """Makes it, and waits until pods may be made in it."""
        self.must("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        wait_until(lambda: self._account(name), f"{name} has its service account", 60)
        return name

    def pod(self, namespace, name, containers=("main",), **spec):
        """A pod that runs, with labels {"app": NAME}."""
        self.must("POST", f"/api/v1/namespaces/{namespace}/pods", {
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"nodeName": "node1", "containers": [one if isinstance(one, dict) else {"name": one, "image": "busybox:1"}
                                                         for one in containers], **spec}})
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        wait_until(lambda: self.get(path)["status"].get("phase") == "Running", f"pod {name} runs", 60, pause=0.1)
        return name

    def pod_directory(self, namespace, name):
        """Where the pod's processes run; a file CONTAINER.log in it is that container's log."""
        place = self.pods / f"{namespace}_{name}"
        place.mkdir(exist_ok=True)
        place.chmod(0o777)
        return place

    def audit(self):
        """What the API server's own audit log has, oldest first."""
        lines = (self.directory / "audit.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def kubectl(self, *words, program="kubectl", **options):
        """The real client, straight to the server."""
        return run(*self.kubectl_argv(program, self.kubeconfig), *words, env=self.environment(), **options)

    def kubectl_argv(self, program, kubeconfig):
        return [self.bin / program, f"--kubeconfig={kubeconfig}", f"--cache-dir={self.directory}/cache"]

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.directory)}

    # -- tests of the bastion's side

    def kubectl_for_bastion(self, program="kubectl"):
        """Where every process of a bastion may read it."""
        place = self.directory / program
        if not place.exists():
            shutil.copy(self.bin / program, place)
        return str(place)

    def target(self, name="prod", **more):
        """As gatehouse.yaml has it."""
        return {"name": name, "kind": "kubernetes", "address": self.url, "credential": f"{name}-token", "tls_ca": str(self.ca), **more}

    def newer_kubectl(self):
        """The program's name, or a skip: only Debian's next release has it."""
        if not (self.bin / "kubectl-newer").exists():
            pytest.skip("this machine's mirror has no newer kubectl")
        return "kubectl-newer"
