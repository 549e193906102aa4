"""A real OpenID provider (npm's oidc-provider, in Node) on loopback with TLS, and a person in front of its pages."""
import html.parser
import http.cookiejar
import json
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from .node import modules
from .system import free_port, must, stop, wait_until

HERE = Path(__file__).resolve().parents[1] / "oidc"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
SECRET = "of-the-test-client-0123456789"


class Provider:
    """Keyword arguments are settings of tests/e2e/oidc/provider.mjs; start() takes further ones."""

    def __init__(self, tls_files, **settings):
        self.directory = Path(tempfile.mkdtemp(prefix="gatehouse-oidc-"))
        self.ca, certificate, key = tls_files
        self.port = free_port()
        self.issuer = f"https://localhost:{self.port}"
        self.log_path = self.directory / "log"
        self.process = None
        self.settings = {
            "modules": str(modules(HERE)), "port": self.port, "issuer": self.issuer, "keys": str(self.directory / "keys.json"),
            "tls_certificate": str(certificate), "tls_key": str(key), "audience": "gatehouse", "interval": 1, "slow_downs": 0,
            "accounts": {"alice": {"email": "alice@example.com", "groups": ["agents", "dba"]},
                         "carol": {"email": "carol@example.com", "groups": ["dba"]},
                         "bob": {"email": "bob@example.com", "groups": ["visitors"]}},
            "client_claims": {"ci": {"groups": ["agents"], "email": "ci@example.com"},
                              "helper": {"groups": ["agents"], "act": {"sub": "agent-7"}},
                              "stranger": {"groups": ["elsewhere"]}},
            "clients": [
                {"client_id": "gatehouse-cli", "token_endpoint_auth_method": "none", "application_type": "native",
                 "grant_types": [DEVICE_GRANT], "response_types": [], "redirect_uris": []},
                *({"client_id": name, "client_secret": SECRET, "grant_types": ["client_credentials"], "response_types": [],
                   "redirect_uris": []} for name in ("ci", "helper", "stranger"))],
            **settings}

    # -- life

    def start(self, **changes):
        self.settings.update(changes)
        (self.directory / "settings.json").write_text(json.dumps(self.settings), encoding="utf-8")
        before = len(self.log())
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(["node", str(HERE / "provider.mjs"), str(self.directory / "settings.json")],
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def ready():
            assert self.process.poll() is None, f"the provider ended:\n{self.log()}"
            return "READY" in self.log()[before:]
        wait_until(ready, f"the provider is ready: {self.log()}", 30)
        return self

    def stop(self):
        if self.process:
            stop(self.process)

    def rotate(self):
        """New signing keys, and nothing left of the old ones."""
        self.stop()
        (self.directory / "keys.json").unlink()
        self.start()

    def remove(self):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace") if self.log_path.exists() else ""

    def requests(self, path=None):
        """What it has answered, oldest first: dicts of at, method, path, status, error."""
        found = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [one for one in found if path in (None, one["path"])]

    # -- what the bastion is told of it

    def configuration(self, **changes):
        return {"name": "corp", "issuer": self.issuer, "audience": "gatehouse", "client_id": "gatehouse-cli",
                "scopes": ["openid", "email", "groups"], "groups_claim": "groups", "tls_ca": str(self.ca), **changes}

    # -- a program that asks for a token

    def token(self, client="ci", algorithm="RS256"):
        """An access token by client credentials: a JWT for the audience `gatehouse`."""
        form = {"grant_type": "client_credentials", "client_id": client, "client_secret": SECRET,
                "resource": f"urn:gatehouse:{algorithm}", "scope": "enrol"}
        with self._opener().open(f"{self.issuer}/token", urllib.parse.urlencode(form).encode(), timeout=20) as answer:
            return json.load(answer)["access_token"]

    def _opener(self, *handlers):
        context = ssl.create_default_context(cafile=str(self.ca))
        https = urllib.request.HTTPSHandler(context=context)
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), https, *handlers)

    def person(self):
        return Person(self._opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())))


class Person:
    """Somebody with a browser: opens pages, fills in forms."""

    def __init__(self, opener):
        self.opener = opener
        self.address = None
        self.page = ""

    def go(self, address, form=None):
        data = urllib.parse.urlencode(form).encode() if form is not None else None
        try:
            with self.opener.open(address, data, timeout=20) as answer:
                self.address, self.page = answer.geturl(), answer.read().decode()
        except urllib.error.HTTPError as fault:
            self.address, self.page = fault.geturl(), fault.read().decode()
        return self

    def submit(self, **values):
        """Sends the page's form with its hidden fields, and these."""
        form = Form(self.page)
        assert form.action, self.page
        return self.go(urllib.parse.urljoin(self.address, form.action), {**form.fields, **values})

    def approve(self, address, code=None, login="alice"):
        """Goes the whole way: the code, that it is the one on the screen, who one is, and yes."""
        self.go(address)
        if code:
            self.submit(user_code=code)
        else:
            self.submit()  # the complete address: the page would send itself
        self.submit(confirm="yes")
        self.submit(login=login, password="any")
        self.submit()
        assert "Sign-in Success" in self.page, self.page

    def refuse(self, address, code):
        self.go(address)
        self.submit(user_code=code)
        self.submit(abort="yes")
        assert "interrupted" in self.page, self.page


class Form(html.parser.HTMLParser):
    """The first form of a page: where it goes, and its fields that have values."""

    def __init__(self, page):
        super().__init__()
        self.action = None
        self.fields = {}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = attributes.get("action")
        elif tag == "input" and attributes.get("value") and attributes.get("name"):
            self.fields[attributes["name"]] = attributes["value"]


def other_ca(directory):
    """The certificate of a CA that has signed nothing here."""
    must("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", directory / "ca.key", "-out",
         directory / "ca.crt", "-subj", "/CN=Other CA", "-days", "2")
    return directory / "ca.crt"
