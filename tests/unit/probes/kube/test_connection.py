"""The login of a kubeconfig against a small real HTTPS server: plugins, expiry, names, proxies, contexts."""

from __future__ import annotations

import base64
import json
import ssl
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes.kube import connection, plugin
from assay.probes.kube.client import Kube
from assay.probes.kube.kubeconfig import EXPIRY_MARGIN, read_kubeconfig
from assay.probes.kube.wire import Wire
from tests.unit.support.api_server import Reply, kubeconfig, says, served, tls


VERSION = "client.authentication.k8s.io/v1"
OK: Reply = (200, {"gitVersion": "v1.36.3"})
# Prints the text of a file as its token and counts its runs; `ends` is when that runs out.
PLUGIN = """#!{python}
import json, os, pathlib
folder = pathlib.Path({folder!r})
with (folder / "runs").open("a") as out:
    out.write(os.environ["KUBERNETES_EXEC_INFO"] + "\\n")
status = {{"token": (folder / "token").read_text(), "expirationTimestamp": (folder / "ends").read_text()}}
print(json.dumps({{"apiVersion": "{version}", "kind": "ExecCredential", "status": status}}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first")
    ends(tmp_path, 3600)
    script(tmp_path, PLUGIN.format(python=sys.executable, folder=str(tmp_path), version=VERSION))
    return tmp_path


def script(folder: Path, text: str) -> None:
    file = folder / "login"
    file.write_text(text)
    file.chmod(file.stat().st_mode | stat.S_IXUSR)


def ends(folder: Path, seconds: float) -> None:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    (folder / "ends").write_text(moment.isoformat().replace("+00:00", "Z"))


def runs(folder: Path) -> list[str]:
    file = folder / "runs"
    return file.read_text().splitlines() if file.exists() else []


def by_plugin(**more: object) -> dict[str, object]:
    return {"exec": {"apiVersion": VERSION, "command": "./login", "interactiveMode": "Never", **more}}


@contextmanager
def wired(
    folder: Path, answers: Callable[[str], Reply], user: dict[str, object]
) -> Iterator[tuple[str, Path]]:
    """Yield the address of a server that judges the Authorization header, and a kubeconfig for it."""
    context, ca = tls(folder)
    with served(folder, lambda _m, _p, query, _s: answers(query["auth"]), context, ca) as kube:
        url = kube.apiservers[0]
        yield url, kubeconfig(folder, url, ca, user)


def only(wanted: Callable[[], str]) -> Callable[[str], Reply]:
    """Return a server that knows one token at a time."""
    return lambda auth: OK if auth == f"Bearer {wanted()}" else says(401, "Unauthorized")


def test_a_plugin_runs_once_for_all_servers(folder: Path) -> None:
    with wired(folder, only(lambda: "first"), by_plugin()) as (url, file):
        for _ in range(3):
            kube = Kube(file, (url,))
            assert {kube.version(), kube.version(url)} == {"v1.36.3"}
    assert len(runs(folder)) == 1
    assert json.loads(runs(folder)[0])["spec"] == {"interactive": False}


def test_a_plugin_is_told_of_the_cluster_where_it_wants_that(folder: Path) -> None:
    with wired(folder, only(lambda: "first"), by_plugin(provideClusterInfo=True)) as (url, file):
        Kube(file).version()
    told = json.loads(runs(folder)[0])["spec"]["cluster"]
    assert told["server"] == url
    assert base64.b64decode(told["certificate-authority-data"]).startswith(b"-----BEGIN CERTIFICATE")


def test_a_token_that_expires_is_taken_again(folder: Path) -> None:
    good = ["first"]
    with wired(folder, only(lambda: good[0]), by_plugin()) as (_, file):
        kube = Kube(file)
        ends(folder, EXPIRY_MARGIN.total_seconds() + 0.3)
        assert kube.version() == "v1.36.3"
        time.sleep(0.4)
        ends(folder, 3600)
        (folder / "token").write_text("second")
        good[0] = "second"
        assert [kube.version() for _ in range(3)] == ["v1.36.3"] * 3
    assert len(runs(folder)) == 2


def test_a_token_that_dies_in_mid_run_is_taken_again_once(folder: Path) -> None:
    good = ["first"]
    with wired(folder, only(lambda: good[0]), by_plugin()) as (_, file):
        kube = Kube(file)
        assert kube.version() == "v1.36.3"
        (folder / "token").write_text("second")
        good[0] = "second"
        assert kube.version() == "v1.36.3"
        good[0] = "third"
        with pytest.raises(ProbeError, match=r"401.*renew the credential"):
            kube.version()
    assert len(runs(folder)) == 3


def test_many_threads_renew_a_dead_token_once(folder: Path) -> None:
    good = ["first"]
    with wired(folder, only(lambda: good[0]), by_plugin()) as (_, file):
        kube = Kube(file)
        kube.version()
        (folder / "token").write_text("second")
        good[0] = "second"
        assert kube.together([kube.version] * 8) == ["v1.36.3"] * 8
    assert len(runs(folder)) == 2


def test_a_token_in_the_file_is_not_tried_twice(folder: Path) -> None:
    asked: list[str] = []

    def dead(auth: str) -> Reply:
        asked.append(auth)
        return says(401, "Unauthorized")

    with wired(folder, dead, {"token": "old"}) as (_, file), pytest.raises(ProbeError, match="renew"):
        Kube(file).version()
    assert asked == ["Bearer old"]


def test_a_token_of_its_own_file_is_read_again(folder: Path) -> None:
    good = ["first"]
    with wired(folder, only(lambda: good[0]), {"tokenFile": "token"}) as (_, file):
        kube = Kube(file)
        kube.version()
        good[0] = "second"
        (folder / "token").write_text("second\n")
        assert kube.version() == "v1.36.3"


def test_a_foreign_token_is_not_renewed(folder: Path) -> None:
    with wired(folder, only(lambda: "first"), by_plugin()) as (url, file):
        kube = Kube(file, (url,))
        assert kube.whoami(url, "theirs").status == 401
        assert kube.anonymous(url, "/version").status == 401
    assert runs(folder) == []


def printing(version: str, **status: str) -> str:
    """Return a plugin that prints an ExecCredential."""
    answer = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status})
    return f"#!{sys.executable}\nprint({answer!r})\n"


OLD = {"token": "canary-secret", "expirationTimestamp": "2020-01-01T00:00:00Z"}
FAILING = {
    "fails": ("#!/bin/sh\necho canary-secret >&2; exit 3\n", "failed with exit code 3"),
    "prints nothing": ("#!/bin/sh\n", "printed no credential"),
    "prints prose": ("#!/bin/sh\necho canary-secret\n", "printed no credential"),
    "another version": (printing("v0", token="canary-secret"), "printed no credential"),
    "no token": (printing(VERSION), "printed no credential"),
    "an old token": (printing(VERSION, **OLD), "expired already"),
    "waits for a browser": (
        "#!/bin/sh\necho Please visit http://localhost:8000 in your browser >&2\nsleep 60\n",
        "no end after .* wait for a browser",
    ),
    "asks on a terminal": ("#!/bin/sh\nread answer || exit 1\n", "failed with exit code 1"),
}


@pytest.mark.parametrize(("text", "says_"), FAILING.values(), ids=FAILING)
def test_a_plugin_that_gives_nothing_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, says_: str
) -> None:
    monkeypatch.setattr(plugin.ExecPlugin.run, "__defaults__", (0.4,))
    script(folder, text)
    begin = time.monotonic()
    with (
        wired(folder, only(lambda: "first"), by_plugin()) as (_, file),
        pytest.raises(ProbeError, match=says_) as caught,
    ):
        Kube(file).version()
    assert time.monotonic() - begin < 5
    assert "log in by hand" in str(caught.value)
    assert "canary-secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_plugin_that_is_not_there_is_an_error(folder: Path) -> None:
    user = by_plugin(command="no-such-plugin")
    with (
        wired(folder, only(lambda: "first"), user) as (_, file),
        pytest.raises(ProbeError, match="no-such-plugin does not run"),
    ):
        Kube(file).version()


def test_a_plugin_that_wants_a_terminal_never_runs(folder: Path) -> None:
    with (
        wired(folder, only(lambda: "first"), by_plugin(interactiveMode="Always")) as (_, file),
        pytest.raises(ProbeError, match="asks on a terminal"),
    ):
        Kube(file).version()
    assert runs(folder) == []


def test_a_plugin_reaches_no_desktop(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setenv("BROWSER", "firefox")
    script(folder, '#!/bin/sh\n[ -z "$DISPLAY$BROWSER" ] || exit 9\nexit 8\n')
    with (
        wired(folder, only(lambda: "first"), by_plugin()) as (_, file),
        pytest.raises(ProbeError, match="exit code 8"),
    ):
        Kube(file).version()


def test_a_plugin_may_give_a_client_certificate(folder: Path) -> None:
    context, ca = tls(folder)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    status = {"clientCertificateData": ca.read_text(), "clientKeyData": (folder / "tls.key").read_text()}
    script(folder, printing(VERSION, **status))
    with served(folder, lambda *_: OK, context, ca) as kube:
        file = kubeconfig(folder, kube.apiservers[0], ca, by_plugin())
        assert Kube(file).version() == "v1.36.3"
        with pytest.raises(ProbeError, match=r"refused the client certificate|during the handshake"):
            Kube(kubeconfig(folder, kube.apiservers[0], ca)).version()


def test_the_name_in_the_certificate_may_be_another(folder: Path) -> None:
    context, ca = tls(folder, name="kubernetes.example")
    with served(folder, lambda *_: OK, context, ca) as kube:
        url = kube.apiservers[0]
        with pytest.raises(ProbeError, match=r"does not verify.*tls-server-name"):
            Kube(kubeconfig(folder, url, ca)).version()
        named = kubeconfig(folder, url, ca, None, **{"tls-server-name": "kubernetes.example"})
        assert Kube(named, (url,)).version(url) == "v1.36.3"


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Yield the URL of a proxy that knows plain HTTP only, and the URLs that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            raw = json.dumps(OK[1]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_proxy_of_the_kubeconfig_is_taken(tmp_path: Path) -> None:
    with proxy() as (url, asked):
        file = kubeconfig(tmp_path, "http://api.example:6443", None, None, **{"proxy-url": url})
        assert Kube(file).version() == "v1.36.3"
    assert asked == ["http://api.example:6443/version"]
    with pytest.raises(ProbeError, match="GET /version"):
        Kube(file).version()


def test_a_proxy_of_the_machine_is_taken_but_not_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (url, asked):
        monkeypatch.setenv("http_proxy", url)
        assert Kube(kubeconfig(tmp_path, "http://api.example:6443")).version() == "v1.36.3"
        with served(tmp_path, lambda *_: OK) as kube:
            assert kube.version() == "v1.36.3"
    assert asked == ["http://api.example:6443/version"]


def test_a_proxy_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://api.example:6443", None, None, **{"proxy-url": "ftp://p"})
    with pytest.raises(ProbeError, match="neither http, https nor socks5"):
        Kube(file).version()


def test_a_context_is_chosen_by_name(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://one.example:6443")
    document = yaml.safe_load(file.read_text())
    document["clusters"].append({"name": "y", "cluster": {"server": "https://two.example:6443/"}})
    document["contexts"].append({"name": "staging", "context": {"cluster": "y", "user": "x"}})
    file.write_text(yaml.safe_dump(document))
    assert read_kubeconfig(file).server == "https://one.example:6443"
    assert read_kubeconfig(file, "staging").server == "https://two.example:6443"
    with pytest.raises(ProbeError, match="no context 'prod', but x, staging"):
        read_kubeconfig(file, "prod")


REFUSED = {
    "no verification": ({"insecure-skip-tls-verify": True}, {}, "skips TLS verification"),
    "an old provider": ({}, {"auth-provider": {"name": "oidc"}}, "auth-provider"),
    "several groups": ({}, {"as": "u", "as-groups": ["a", "b"]}, "several groups"),
    "a CA that is not there": ({"certificate-authority": "gone.crt"}, {}, "gone.crt cannot be read"),
    "half a CA": ({"certificate-authority-data": "%%%"}, {}, "not a usable kubeconfig"),
}


@pytest.mark.parametrize(("cluster", "user", "why"), REFUSED.values(), ids=REFUSED)
def test_what_a_kubeconfig_may_not_ask_for(
    tmp_path: Path, cluster: dict[str, object], user: dict[str, object], why: str
) -> None:
    file = kubeconfig(tmp_path, "https://api.example:6443", None, {"token": "t", **user}, **cluster)
    with pytest.raises(ProbeError, match=why) as caught:
        Kube(file).version()
    assert caught.value.remedy


def test_a_kubeconfig_may_pretend_to_be_somebody(tmp_path: Path) -> None:
    file = kubeconfig(tmp_path, "https://a:1", None, {"token": "t", "as": "auditor", "as-groups": ["ops"]})
    assert read_kubeconfig(file).headers == {"Impersonate-User": "auditor", "Impersonate-Group": "ops"}


JSONISH = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


KEYS = st.sampled_from(["server", "certificate-authority-data", "extensions"])


@contextmanager
def one_line_at_most() -> Iterator[None]:
    """Let an error pass that is one line with a remedy."""
    try:
        yield
    except ProbeError as refused:
        if "\n" in str(refused) or not refused.remedy:
            raise AssertionError("not one line with a remedy") from refused


@given(st.dictionaries(KEYS, JSONISH), JSONISH)
def test_any_kubeconfig_is_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, cluster: dict[str, object], user: object
) -> None:
    document = {
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": cluster}],
        "users": [{"name": "x", "user": user}],
    }
    file = tmp_path_factory.mktemp("k") / "kubeconfig"
    file.write_text(yaml.safe_dump(document))
    with one_line_at_most():
        read_kubeconfig(file)


def test_one_connection_each(folder: Path) -> None:
    with wired(folder, only(lambda: "first"), by_plugin()) as (_, file):
        wires = [Wire(*connection.connect(file)) for _ in range(2)]
        assert [wire.get("/version") for wire in wires] == [OK[1]] * 2
