"""Targets that are down, hang, or will not let us in; a vault that cannot help."""
import time

import pytest

from harness.bastion import settings
from harness.postgres import Postgres
from harness.system import free_port, must


def reach(bastion, client=None, target="orders"):
    """What the agent is told by both ways in."""
    client = client or bastion.client()
    command = client.psql("-Atc", "select 1", target=target, timeout=90)
    with client.forward(target) as forward:
        driver = forward.psql("-Atc", "select 1", timeout=90)
    return command, driver


def with_target(postgres, **keys):
    whole = settings(postgres)
    whole["targets"][0].update(keys)
    return whole


def unavailable(bastion, log, code="target_unavailable"):
    command, driver = reach(bastion)
    assert command.returncode != 0 and driver.returncode == 2
    for done in (command, driver):
        assert code in done.stderr, done.stderr
        assert bastion.postgres.password not in done.stderr
        assert str(bastion.postgres.port) not in done.stderr.replace(str(bastion.port), "")
    bastion.wait_log(log)


@pytest.mark.asan
def test_a_wrong_password_is_the_operators_business(new_bastion):
    bastion = new_bastion(start=False)
    bastion.put_secret("orders-app", "wrong")
    bastion.start()
    unavailable(bastion, "password authentication failed")
    assert "password authentication" not in reach(bastion)[1].stderr


def test_a_target_that_is_down(new_bastion, postgres):
    unavailable(new_bastion(targets=with_target(postgres, address=f"127.0.0.1:{free_port()}")["targets"]), "[Rr]efused")


def test_a_database_that_is_not_there(new_bastion, postgres):
    unavailable(new_bastion(targets=with_target(postgres, database="nothing")["targets"]), "does not exist")


@pytest.mark.slow
def test_a_target_that_hangs(new_bastion):
    hanging = Postgres()
    try:
        bastion = new_bastion(cluster=hanging)
        client = bastion.client()
        assert client.psql("-Atc", "select 1").stdout == "1\n"
        hanging.freeze()
        start = time.monotonic()
        done = client.psql("-Atc", "select 1", timeout=90)
        assert done.returncode != 0 and "target_unavailable" in done.stderr
        assert time.monotonic() - start < 60
        hanging.thaw()
        assert client.psql("-Atc", "select 1").stdout == "1\n"
    finally:
        hanging.remove()


def test_a_target_that_goes_away_in_the_middle(new_bastion):
    leaving = Postgres()
    try:
        bastion = new_bastion(cluster=leaving)
        with bastion.client().forward() as forward:
            import psycopg2
            link = psycopg2.connect(forward.dsn)
            cursor = link.cursor()
            cursor.execute("select 1")
            leaving.stop()
            with pytest.raises(psycopg2.Error):
                cursor.execute("select 1")
            link.close()
            leaving.start()
            assert forward.query("select 1") == "1"
    finally:
        leaving.remove()


@pytest.mark.asan
def test_an_entry_that_the_vault_does_not_have(new_bastion):
    unavailable(new_bastion(credentials=False), "orders-app")


@pytest.mark.asan
def test_a_sealed_vault_says_that_it_is_sealed(new_bastion):
    bastion = new_bastion(start=False)
    key = next(path for path in bastion.state.rglob("*key*") if "vault" in str(path).lower())
    key.rename(bastion.directory / "kept-elsewhere")
    bastion.start()
    unavailable(bastion, "sealed", code="vault_sealed")
    assert "agent-7" in bastion.client().must("whoami")


def test_a_unix_socket_as_target(new_bastion, postgres):
    path = f"unix:{postgres.sockets}/.s.PGSQL.{postgres.port}"
    bastion = new_bastion(targets=with_target(postgres, address=path)["targets"])
    command, driver = reach(bastion)
    assert command.stdout == driver.stdout == "1\n", (command.stderr, driver.stderr, bastion.log()[-2000:])


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
@pytest.mark.asan
def test_tls_to_the_target(new_bastion, tls_postgres, tls_files, mode):
    targets = with_target(tls_postgres, tls=mode, **({} if mode == "require" else {"tls_ca": str(tls_files[0])}))["targets"]
    bastion = new_bastion(cluster=tls_postgres, targets=targets)
    client = bastion.client()
    with client.forward() as forward:
        assert forward.query("select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"
        assert forward.query("select count(*) from orders a, generate_series(1, 100)") == "500000"
    assert client.psql("-Atc", "select 1").stdout == "1\n"


def test_tls_with_a_certificate_of_an_unknown_ca_is_no_connection(new_bastion, tls_postgres, tmp_path):
    must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "other.crt",
         "-subj", "/CN=Another CA", "-days", "2")
    targets = with_target(tls_postgres, tls="verify-full", tls_ca=str(tmp_path / "other.crt"))["targets"]
    bastion = new_bastion(cluster=tls_postgres, targets=targets)
    command, driver = reach(bastion)
    assert command.returncode != 0 and driver.returncode != 0
    bastion.wait_log("certificate")


def test_a_target_without_tls_is_no_target_when_tls_is_required(new_bastion, postgres):
    bastion = new_bastion(targets=with_target(postgres, tls="require")["targets"])
    command, driver = reach(bastion)
    assert command.returncode != 0 and driver.returncode != 0


def test_cancel_works_through_tls(new_bastion, tls_postgres):
    import threading
    import psycopg2
    bastion = new_bastion(cluster=tls_postgres, targets=with_target(tls_postgres, tls="require")["targets"])
    with bastion.client("olga", principals=["ops"]).forward() as forward:
        link = psycopg2.connect(forward.dsn)
        timer = threading.Timer(0.5, link.cancel)
        timer.start()
        with pytest.raises(psycopg2.errors.QueryCanceled):
            link.cursor().execute("select pg_sleep(30)")
        timer.join()
        link.close()


def test_a_new_password_in_the_vault_is_used_without_a_restart(new_bastion, postgres):
    bastion = new_bastion(start=False)
    bastion.put_secret("orders-app", "wrong")
    bastion.start()
    client = bastion.client()
    assert client.psql("-Atc", "select 1").returncode != 0
    bastion.put_secret("orders-app", postgres.password)
    bastion.reload()
    assert client.psql("-Atc", "select 1").stdout == "1\n"
