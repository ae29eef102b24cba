"""A platform on this machine that answers what a test tells it to, with values planted where it has any."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
import yaml

from assay.backups import points
from assay.catalogue import names
from assay.drills.restore import capacity as rate
from assay.origins import leaks
from assay.origins import tracer as origins
from assay.probes.vault import client as vault
from assay.run.evidence import read_lines
from tests.unit.probes.sops.test_file import ME


ROOT = Path(__file__).parents[3]
# Nobody writes these by chance, and a search finds them in any of the usual encodings.
VALUE = "-".join(("cAn4ry", "Xy7kQ93vLmZ0", "value"))
TOKEN = "hvs." + "-".join(("cAn4ry", "Xy7kQ93vLmZ0", "token"))
HIDDEN = [VALUE, TOKEN, base64.b64encode(VALUE.encode()).decode().rstrip("="), VALUE.encode().hex()]
UID = "6a7b8c9d-0000-4000-8000-000000000001"  # of the cluster that the profile means
Answer = Callable[[Any], None]
# Imported once: what a run imports is forgotten when it ends.
KEPT = (leaks, origins, points, rate, vault)


def sent(status: int, body: object, **headers: str) -> Answer:
    """Return an answer: JSON, or bytes as they are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    def answer(to: Any) -> None:  # noqa: ANN401 - a request handler
        to.send_response(status)
        for name, value in {"Content-Length": str(len(raw)), **headers}.items():
            to.send_header(name, value)
        to.end_headers()
        to.wfile.write(raw)

    return answer


def after(seconds: float, answer: Answer) -> Answer:
    """Return the same answer, late."""

    def late(to: Any) -> None:  # noqa: ANN401 - as above
        time.sleep(seconds)
        answer(to)

    return late


def refused(status: int, code: str) -> Answer:
    """Return an error of S3, whose message is a value."""
    said = f"<Error><Code>{code}</Code><Message>token {TOKEN}</Message><HostId>{VALUE}</HostId></Error>"
    return sent(status, said.encode())


@dataclass
class World:
    """A platform on this machine: `routes` is what it answers by path, `folder` holds its files."""

    folder: Path
    port: int
    routes: dict[str, Answer] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, content: str | bytes, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def answer(self, to: Any) -> None:  # noqa: ANN401 - as above
        path = urlparse(to.path).path
        group = path.startswith("/apis/") and path.count("/") == 2  # an API group that nobody serves
        kube = path.startswith(("/api", "/apis")) and not group
        other = (
            sent(200, {"kind": "List", "metadata": {}, "items": []}) if kube else sent(404, {"errors": []})
        )
        if path == "/api/v1/namespaces/kube-system":
            other = sent(200, {"kind": "Namespace", "metadata": {"name": "kube-system", "uid": UID}})
        self.routes.get(path, other)(to)

    @property
    def profile(self) -> Path:
        """Return the profile of the platform, written anew."""
        url, files = f"http://127.0.0.1:{self.port}", self.folder
        kube = {
            "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": url}}],
            "users": [{"name": "x", "user": {"token": TOKEN}}],
        }  # fmt: skip
        self.write("kubeconfig", yaml.safe_dump(kube))
        self.write("token", TOKEN)
        self.write("key.json", json.dumps({"access_key": "reader", "secret_key": VALUE}))
        for name in ("ca", "escrow/etcd-backup.agekey", "age.key", "gitleaks"):
            self.write(name, VALUE)
        context = {"endpoints": ["127.0.0.1"], "ca": "YQ==", "crt": "YQ==", "key": VALUE}
        self.write("talosconfig", yaml.safe_dump({"context": "x", "contexts": {"x": context}}))
        tools = {"gitleaks": files / "gitleaks", "age": files / "age", "etcdutl": files / "etcdutl"}
        tools |= {"talosctl": files / "talosctl"} if (files / "talosctl").exists() else {}
        sections: dict[str, dict[str, object]] = {
            "stack": {"name": f"bad-{self.port}", "kind": "staging", "cluster_uid": UID},
            "paths": {"gitops": files / "gitops", "repositories": files / "repository"},
            "kube": {"kubeconfig": files / "kubeconfig", "apiservers": [url]},
            "vault": {"addresses": [url], "ca": files / "ca", "token": files / "token"},
            "s3": {"endpoint": url, "reader_key": files / "key.json"},
            "sops": {"binary": files / "sops", "age_key": files / "age.key", "recipients": [ME]},
            "escrow": {"folder": files / "escrow"},
            "talos": {"config": files / "talosconfig", "version": "v1.13.5"},
            "tools": tools,
        }
        lines = [f"[{name}]\n" + "".join(f"{k} = {_toml(v)}\n" for k, v in rows.items())
                 for name, rows in sections.items()]  # fmt: skip
        lines += ['[talos.controlplanes]\ncp-1 = "127.0.0.1"\n']
        lines += [
            '[s3.buckets]\netcd = "b"\n',
            '[[platform.services]]\nname = "etcd"\nkey = "etcd-backup.agekey"\nrpo_s = 7200\n',
            'section = "Restore etcd"\n',
            '[[platform.services]]\nname = "postgres"\nbackup = "pgbackrest"\nrpo_s = 300\n',
            'section = "Restore PostgreSQL"\n',
        ]
        return self.write("stack.toml", "\n".join(lines))


def _toml(value: object) -> str:
    return json.dumps([str(one) for one in value]) if isinstance(value, list) else json.dumps(str(value))


@contextmanager
def served(folder: Path) -> Iterator[World]:
    """Yield a platform that answers nothing yet."""
    made = World(folder, 0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        do_POST = do_LIST = do_HEAD = do_GET  # noqa: N815 - the server's own spelling

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class Reader:
    """Runs the test of one control on a platform, and looks at what its reader gets to see."""

    pytester: pytest.Pytester
    world: World

    def sees(
        self, control: str, verdict: str, reason: str, remedy: str, tier: str = "live", code: int = 10
    ) -> None:
        """Check verdict, reason and remedy in evidence and terminal, and that no value is anywhere."""
        root = self.pytester.path
        allowed = ("--allow", "disrupts")
        reports, wanted = root / "reports", ("--stack", str(self.world.profile), "--tier", tier, *allowed)
        for name in names(control):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
        written = (f"--alluredir={reports}/allure", f"--junitxml={reports}/junit.xml")
        result = self.pytester.runpytest_inprocess("acceptance", *wanted, *written, no_reraise_ctrlc=True)
        said = result.stdout.str() + result.stderr.str()
        (path,) = (reports / "evidence").glob("*.jsonl")
        (line,) = [one for one in read_lines(path) if one["record"] == "judgement"]
        shown = " ".join([str(line["reason"]), *(f"{ref}: {why}" for ref, why in line["offenders"])])
        assert (line["verdict"], bool(re.search(reason, shown))) == (verdict, True), line
        assert re.search(remedy, str(line["remedy"]))
        assert f"{verdict} (1)" in said
        assert f"remedy: {line['remedy']}" in said
        assert result.ret == (1 if verdict == "FAIL" else code)
        assert "Traceback" not in said
        texts = [file.read_text(errors="replace") for file in reports.rglob("*") if file.is_file()]
        assert not [value for value in HIDDEN for text in (said, *texts) if value in text]
