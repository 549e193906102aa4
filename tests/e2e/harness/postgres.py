"""A PostgreSQL cluster in a private directory, with the quickstart's shop in it."""
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from .system import IS_ROOT, TOP, free_port, must, wait_until

SHOP = TOP / "contrib" / "quickstart.d" / "shop.sql"


def bin_dir():
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    assert versions, "no PostgreSQL server is installed"
    return versions[-1].parent


def as_owner():
    """PostgreSQL refuses to run as root: words to put in front of its commands."""
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] if IS_ROOT else []


class Postgres:
    """Password logins by SCRAM for `app` (every statement logged) and `bulk` (not logged, for big ones)."""

    def __init__(self, tls=None):
        self.directory = Path(tempfile.mkdtemp(prefix="gatehouse-pg-"))
        if IS_ROOT:
            owner = pwd.getpwnam("postgres")
            os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        os.chmod(self.directory, 0o755)
        self.bin = bin_dir()
        self.data = self.directory / "data"
        self.sockets = self.directory
        self.log = self.directory / "log"
        self.port = free_port()
        self.password = "pw-" + secrets.token_hex(12)
        self.tls = tls
        self.process = None
        self._initialise()
        self.start()
        self._fill()

    def _initialise(self):
        must(*as_owner(), self.bin / "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
             "-A", "trust", "--no-sync", cwd="/")
        settings = {
            "listen_addresses": "'127.0.0.1'", "port": self.port, "unix_socket_directories": f"'{self.sockets}'",
            "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "log_line_prefix": "'%u %p '",
            "max_connections": 200, "password_encryption": "'scram-sha-256'",
        }
        access = ["local all postgres trust", f"local all all scram-sha-256",
                  "host all postgres 127.0.0.1/32 reject", "host all all 127.0.0.1/32 scram-sha-256"]
        if self.tls:
            certificate, key = self.tls
            for source, name in ((certificate, "server.crt"), (key, "server.key")):
                self._put(self.data / name, Path(source).read_text())
            settings.update(ssl="on")
            access[-1] = "hostssl all all 127.0.0.1/32 scram-sha-256"
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{name} = {value}\n" for name, value in settings.items())
        (self.data / "pg_hba.conf").write_text("\n".join(access) + "\n", encoding="utf-8")

    def _put(self, path, text):
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        if IS_ROOT:
            owner = pwd.getpwnam("postgres")
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _fill(self):
        self.query("CREATE ROLE app LOGIN PASSWORD %s", [self.password], database="postgres")
        self.query("CREATE ROLE bulk LOGIN PASSWORD %s", [self.password], database="postgres")
        self.query("ALTER ROLE app SET log_statement = 'all'", database="postgres")
        must(self.bin / "createdb", "-h", self.sockets, "-p", self.port, "-U", "postgres", "-O", "app", "orders")
        self.query("ALTER SCHEMA public OWNER TO app")
        self.query("SET ROLE app;" + SHOP.read_text(encoding="utf-8"))
        self.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO bulk; GRANT CREATE ON SCHEMA public TO bulk")

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*as_owner(), str(self.bin / "postgres"), "-D", str(self.data)],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        wait_until(self._answers, "PostgreSQL answers", 30)

    def _answers(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        try:
            self.connect("postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def connect(self, database="orders"):
        """As superuser past the bastion: to look at what really happened."""
        link = psycopg2.connect(host=str(self.sockets), port=self.port, user="postgres", dbname=database)
        link.autocommit = True
        return link

    def query(self, sql, values=None, database="orders"):
        link = self.connect(database)
        try:
            with link.cursor() as cursor:
                cursor.execute(sql, values)
                return cursor.fetchall() if cursor.description else None
        finally:
            link.close()

    def value(self, sql):
        return self.query(sql)[0][0]

    def statements(self):
        """What the server was asked to do, in its own words."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def backends(self, user="app"):
        return self.value(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'")

    def freeze(self):
        """The target hangs: its port accepts, nobody answers."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(20)

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
