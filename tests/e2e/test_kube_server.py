"""The cluster of the tests is what tests take it for: looked at with both generations of kubectl, past the bastion."""
import json
import os
import socket
import subprocess
import threading

import pytest

from harness.system import free_port, is_listening, stop, wait_until
from harness.terminal import Terminal

CLIENTS = ["kubectl", "kubectl-newer"]


@pytest.fixture(scope="module")
def space(shared_kube):
    name = shared_kube.namespace("server")
    shared_kube.pod(name, "web")
    return name


@pytest.fixture(params=CLIENTS)
def program(request, kube):
    return kube.newer_kubectl() if request.param == "kubectl-newer" else request.param


@pytest.fixture
def kubectl(kube, program, space):
    return lambda *words, **options: kube.kubectl("-n", space, *words, program=program, **options)


def test_objects_come_and_go(kubectl):
    done = kubectl("create", "configmap", "colours", "--from-literal=sky=blue")
    assert done.returncode == 0, done.stderr
    assert json.loads(kubectl("get", "configmap", "colours", "-o", "json").stdout)["data"] == {"sky": "blue"}
    assert "deleted" in kubectl("delete", "configmap", "colours").stdout
    assert "Ready" in kubectl("get", "nodes").stdout


@pytest.mark.slow
def test_a_deployment_brings_pods_and_they_go_with_their_namespace(kube):
    space = kube.namespace("server-controllers")
    pod = {"metadata": {"labels": {"app": "web"}}, "spec": {"nodeName": "node1", "containers": [{"name": "c", "image": "nginx:1"}]}}
    kube.must("POST", f"/apis/apps/v1/namespaces/{space}/deployments", {
        "metadata": {"name": "web"}, "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": pod}})
    pods = f"/api/v1/namespaces/{space}/pods"
    wait_until(lambda: [one["status"].get("phase") for one in kube.get(pods)["items"]] == ["Running"] * 2, "both pods run", 60, 0.1)
    kube.must("DELETE", f"/api/v1/namespaces/{space}")
    wait_until(lambda: kube.request("GET", f"/api/v1/namespaces/{space}")[0] == 404, "the namespace is gone", 60, 0.1)


def test_exec_gives_both_streams_and_the_exit_status(kubectl):
    done = kubectl("exec", "-i", "web", "--", "sh", "-c", "cat; echo no >&2; exit 7", input="yes\n")
    assert (done.stdout, done.stderr.splitlines()[0], done.returncode) == ("yes\n", "no", 7)


def test_exec_in_a_terminal_has_its_size_also_when_that_changes(kube, program, space):
    argv = [*map(str, kube.kubectl_argv(program, kube.kubeconfig)), "-n", space, "exec", "-it", "web", "--", "sh"]
    with Terminal(argv, rows=31, columns=97, env=kube.environment()) as screen:
        screen.line("while ! stty size | grep '31 97'; do sleep 0.1; done; echo fir''st")
        screen.expect("first")
        screen.resize(20, 50)
        screen.line("while ! stty size | grep '20 50'; do sleep 0.1; done; echo sec''ond")
        screen.expect("second")
        screen.line("exit 3")
        assert screen.wait() == 3


def test_logs_are_what_the_test_wrote(kube, kubectl, space):
    (kube.pod_directory(space, "web") / "main.log").write_text("one\ntwo\nthree\n")
    assert kubectl("logs", "web").stdout == "one\ntwo\nthree\n"
    assert kubectl("logs", "--tail=1", "web").stdout == "three\n"


def test_files_are_copied_both_ways(kube, kubectl, space, tmp_path):
    (tmp_path / "here").write_bytes(os.urandom(300_000))
    assert kubectl("cp", tmp_path / "here", f"{space}/web:there").returncode == 0
    there = kube.pod_directory(space, "web") / "there"
    assert there.read_bytes() == (tmp_path / "here").read_bytes()
    assert kubectl("cp", f"{space}/web:there", tmp_path / "back").returncode == 0
    assert (tmp_path / "back").read_bytes() == there.read_bytes()


def test_a_port_is_forwarded(kube, program, space):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            link, _ = server.accept()
            with link:
                link.sendall(link.recv(100).upper())
        threading.Thread(target=answer, daemon=True).start()
        local = free_port()
        argv = [*kube.kubectl_argv(program, kube.kubeconfig), "-n", space, "port-forward", "pod/web", f"{local}:{server.getsockname()[1]}"]
        process = subprocess.Popen([str(word) for word in argv], env=kube.environment(), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: is_listening(local), "kubectl listens", 30)
            with socket.create_connection(("127.0.0.1", local), 20) as link:
                link.sendall(b"hello")
                assert link.recv(100) == b"HELLO"
        finally:
            stop(process)
