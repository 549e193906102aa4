"""The courier in the whole: killed, told of new providers, and with one that never answers."""
import base64
import json
import signal
import socket
import time

import pytest

from harness import enrol
from harness.oidc import Provider
from harness.system import free_port, wait_until


@pytest.fixture
def provider(tls_files):
    made = Provider(tls_files)
    yield made.start()
    made.remove()


@pytest.fixture
def silent():
    """Takes connections and says nothing, ever."""
    with socket.create_server(("127.0.0.1", free_port())) as server:
        yield f"https://localhost:{server.getsockname()[1]}"


def payload(**claims):
    """The middle of a token that nobody has signed."""
    now = int(time.time())
    text = json.dumps({"aud": "gatehouse", "sub": "x", "iat": now, "exp": now + 300, **claims})
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def attempt(bastion, token):
    return enrol.enrol(enrol.new_client(bastion), token)


@pytest.mark.kills
def test_another_courier_takes_over_for_one_that_was_killed(new_bastion, provider):
    bastion = new_bastion(**enrol.keywords(provider.configuration()))
    assert attempt(bastion, provider.token()).returncode == 0
    before = bastion.one("courier").pid
    bastion.one("courier").kill(signal.SIGKILL)
    # What is known needs no courier.
    assert attempt(bastion, provider.token()).returncode == 0
    wait_until(lambda: [p for p in bastion.processes("courier") if p.pid != before], "it is started again", 15)
    provider.rotate()
    token = provider.token()
    wait_until(lambda: attempt(bastion, token).returncode == 0, "the new keys are fetched", 30, 1)


def test_a_provider_that_a_reload_brings_is_fetched_before_its_first_token(new_bastion, provider):
    bastion = new_bastion(**enrol.keywords(enrol.LOCAL))
    assert attempt(bastion, provider.token()).returncode == 77
    bastion.configuration.update(enrol.keywords(provider.configuration()))
    bastion.write()
    assert "reloaded" in bastion.reload()
    assert attempt(bastion, provider.token()).returncode == 0
    assert len(provider.requests("/jwks")) == 1


def test_a_provider_that_never_answers_holds_up_nobody_else(new_bastion, provider, silent):
    late = provider.configuration(name="late", issuer=silent)
    bastion = new_bastion(**enrol.keywords(provider.configuration(), late))  # ready without having heard of it
    head, _, signature = provider.token().split(".")
    token = ".".join([head, payload(iss=silent), signature])
    waiting = enrol.new_client(bastion).start(options=("-T", "-l", "enroll"), stdin=-1)
    waiting.stdin.write(token.encode())
    waiting.stdin.close()
    waiting.stdin = None
    for _ in range(3):
        assert attempt(bastion, provider.token()).returncode == 0
    out, err = waiting.communicate(timeout=40)
    assert (waiting.returncode, out) == (69, b""), err
    assert b"late" in err and (b"timed out" in err or b"in time" in err), err
