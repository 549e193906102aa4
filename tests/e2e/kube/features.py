"""What programs do by python3-kubernetes: features.py KUBECONFIG NAMESPACE. A line for each feature."""
import json
import sys
import threading

from kubernetes import client, config, stream, watch

path, namespace = sys.argv[1:]
config.load_kube_config(path)
core = client.CoreV1Api()
NAME = "python-client"


def same(got, wanted):
    assert got == wanted, f"{got!r} instead of {wanted!r}"


def test_list():
    assert "web" in [pod.metadata.name for pod in core.list_namespaced_pod(namespace).items]


def test_objects():
    core.create_namespaced_config_map(namespace, {"metadata": {"name": NAME}, "data": {"sky": "blue"}})
    same(core.read_namespaced_config_map(NAME, namespace).data, {"sky": "blue"})
    core.patch_namespaced_config_map(NAME, namespace, {"data": {"sky": "grey"}})
    same(core.read_namespaced_config_map(NAME, namespace).data, {"sky": "grey"})
    core.delete_namespaced_config_map(NAME, namespace)


def test_watch():
    wanted = f"{NAME}-watched"
    maker = threading.Timer(0.5, core.create_namespaced_config_map, [namespace, {"metadata": {"name": wanted}}])
    maker.start()
    for event in watch.Watch().stream(core.list_namespaced_config_map, namespace, timeout_seconds=20):
        if event["object"].metadata.name == wanted:
            same(event["type"], "ADDED")
            break
    else:
        raise AssertionError("nothing came")
    core.delete_namespaced_config_map(wanted, namespace)


def test_logs():
    same(core.read_namespaced_pod_log("web", namespace).splitlines()[0], f"{namespace}/web/main line 0")


def test_refusal():
    try:
        core.list_node()
    except client.exceptions.ApiException as fault:
        status = json.loads(fault.body)
        same((fault.status, status["kind"], status["reason"]), (403, "Status", "Forbidden"))
        assert "nodes are not for agents" in status["message"]
    else:
        raise AssertionError("it was not refused")


def test_pages():
    first = core.list_namespaced_pod(namespace, limit=1)
    rest = core.list_namespaced_pod(namespace, limit=50, _continue=first.metadata._continue)
    same(sorted(pod.metadata.name for pod in first.items + rest.items), ["other", "web"])


def test_exec():
    link = stream.stream(core.connect_get_namespaced_pod_exec, "web", namespace, command=["sh", "-c", "echo out; echo err >&2; exit 7"],
                         stdout=True, stderr=True, stdin=False, tty=False, _preload_content=False)
    link.run_forever(timeout=20)
    same((link.read_stdout(), link.read_stderr(), link.returncode), ("out\n", "err\n", 7))


def test_stdin():
    link = stream.stream(core.connect_get_namespaced_pod_exec, "web", namespace, command=["head", "-n", "1"],
                         stdout=True, stderr=True, stdin=True, tty=False, _preload_content=False)
    link.write_stdin("hello\n")
    link.run_forever(timeout=20)
    same(link.read_stdout(), "hello\n")


def test_port_forward():
    from http.client import HTTPConnection  # the port is a server of the test's own
    port = int(core.read_namespaced_config_map("ports", namespace).data["hello"])
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, "web", namespace, ports=str(port))
    link = HTTPConnection("127.0.0.1", port)
    link.sock = forward.socket(port)
    link.request("GET", "/hello")
    same(link.getresponse().read(), b"hello")


for name, run in list(globals().items()):
    if name.startswith("test_"):
        try:
            run()
            print(f"ok {name[5:]}")
        except Exception as fault:  # pylint: disable=broad-except
            print(f"FAIL {name[5:]}: {' '.join(str(fault).split())[:500] or type(fault).__name__}")
