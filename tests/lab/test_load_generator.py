"""The Locust project against a real HTTPS server on loopback: the record says what the server did."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from assay.errors import ProbeError
from assay.load.generator import Load
from assay.load.plan import due_times, read_run
from assay.load.verdict import invalid
from assay.probes.net.http import Http


NAME = "api.test.example"


def make_certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate for `name` and its key to one PEM file and return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))]
    built = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    clear, pkcs8 = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, pkcs8, clear)
    path = folder / f"{name}.pem"
    path.write_bytes(built.public_bytes(serialization.Encoding.PEM) + private)
    return path


class Server(http.server.ThreadingHTTPServer):
    """Answers GET as its fields say: status, headers, every so many-th late, frozen."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, certificate: Path) -> None:
        """Listen on loopback with TLS."""
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.seen = 0
        self.connections = 0
        self.slow_every = 0
        self.slow_for = 0.0
        self.status = 200
        self.headers: dict[str, str] = {}
        self.login = ""
        self.asked: Counter[str] = Counter()
        self.freeze = threading.Lock()

    @property
    def url(self) -> str:
        """Return the server's address."""
        return f"https://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    """One connection of the server."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def setup(self) -> None:
        """Count the connection."""
        super().setup()
        self.server.connections += 1

    def do_GET(self) -> None:
        """Answer as the server is told to."""
        server = self.server
        server.seen += 1
        number = server.seen
        server.asked[self.path] += 1
        known = not server.login or self.headers.get("Authorization") == server.login
        with server.freeze:
            pass
        if server.slow_every and number % server.slow_every == 0:
            time.sleep(server.slow_for)
        self.send_response(server.status if known else 401)
        for key, value in {**server.headers, "Content-Length": "3"}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(b"[1]")

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""


@contextlib.contextmanager
def serving(certificate: Path) -> Iterator[Server]:
    """Serve on loopback until the block ends."""
    server = Server(certificate)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a PEM file with a certificate for NAME and its key."""
    return make_certificate(tmp_path, NAME)


def test_every_arrival_is_on_record_and_slow_ones_are_seen(certificate: Path, tmp_path: Path) -> None:
    """Arrivals at 100/s, every tenth 250 ms late: the record holds them all and finds the slow."""
    with serving(certificate) as server:
        server.slow_every, server.slow_for = 10, 0.25
        load = Load(server.url, ("/items",), NAME, str(certificate))
        plan = load.plan(100, seconds=1.5, least=150, seed=7)
        run = load.run(plan, tmp_path)
        assert server.seen == plan.arrivals == len(run.samples)
        assert server.connections < plan.arrivals / 2, "connections are kept"
    assert invalid(run) == ""
    slow = sum(1 for sample in run.samples if sample.latency >= 0.2)
    assert plan.arrivals // 10 <= slow <= plan.arrivals // 10 + plan.arrivals // 20
    assert [sample.due for sample in run.samples] == due_times(plan)


def test_several_paths_behind_a_login_are_asked_in_turn(certificate: Path, tmp_path: Path) -> None:
    """The login comes from a file; neither plan, record nor log holds it."""
    headers, folder = tmp_path / "headers", tmp_path / "run"
    folder.mkdir()
    headers.write_text("Authorization: Bearer canary-login\n")
    with serving(certificate) as server:
        server.login = "Bearer canary-login"
        load = Load(server.url, ("/items", "/more", "/most"), NAME, str(certificate), headers=str(headers))
        plan = load.plan(100, seconds=0.5, least=50, seed=7)
        run = load.run(plan, folder)
        assert max(server.asked.values()) - min(server.asked.values()) <= 1
        assert sorted(server.asked) == ["/items", "/more", "/most"]
    assert all(sample.ok for sample in run.samples)
    assert {len(run.of(path).judged) for path in plan.paths} == {50}
    assert not [file for file in folder.iterdir() if b"canary-login" in file.read_bytes()]


def test_a_frozen_server_is_charged_from_the_due_moment(certificate: Path, tmp_path: Path) -> None:
    """During a freeze arrivals go on; a closed loop would have seen one slow reply."""
    with serving(certificate) as server:
        load = Load(server.url, ("/items",), NAME, str(certificate))
        plan = load.plan(50, seconds=3.0, least=150, seed=11)
        ready = threading.Event()

        def freeze() -> None:
            while server.seen < plan.warm:
                time.sleep(0.01)
            with server.freeze:
                time.sleep(1.0)
            ready.set()

        threading.Thread(target=freeze, daemon=True).start()
        run = load.run(plan, tmp_path)
        assert ready.is_set()
    late = [sample for sample in run.samples if sample.latency >= 0.2]
    assert 25 <= len(late) <= 60, "about 0.8 s of 50 arrivals each second"
    assert max(sample.lag for sample in run.samples) < 0.2, "they left on time"


def test_errors_are_exceedances_and_fast_errors_do_not_help(certificate: Path, tmp_path: Path) -> None:
    """A server that refuses quickly is not a fast server."""
    with serving(certificate) as server:
        server.status = 503
        load = Load(server.url, ("/items",), NAME, str(certificate))
        run = load.run(load.plan(100, seconds=0.5, least=50), tmp_path)
    assert all(sample.latency == float("inf") and sample.why == "status 503" for sample in run.samples)


def test_a_foreign_certificate_makes_the_run_invalid(certificate: Path, tmp_path: Path) -> None:
    """The right key for another name is refused by both clients, and never becomes a verdict."""
    with serving(certificate) as server:
        load = Load(server.url, ("/items",), "other.test.example", str(certificate))
        run = load.run(load.plan(100, seconds=0.2, least=20), tmp_path)
        with pytest.raises(ProbeError, match="certificate"):
            Http(server.url, str(certificate), "other.test.example").get("/items")
        assert server.seen == 0
        assert Http(server.url, str(certificate), NAME).get("/items").status == 200
    assert "not one of" in invalid(run)
    assert "tls" in invalid(run)


def test_replies_from_a_cache_are_no_verdict_on_the_api(certificate: Path, tmp_path: Path) -> None:
    """A cache in front answers in place of the API."""
    with serving(certificate) as server:
        server.headers = {"CF-Cache-Status": "HIT"}
        load = Load(server.url, ("/items",), NAME, str(certificate))
        run = load.run(load.plan(100, seconds=0.2, least=20), tmp_path)
    assert "cache" in invalid(run)


def test_nothing_listening_is_an_error_not_a_verdict(certificate: Path, tmp_path: Path) -> None:
    """Every request refused: the run says so and is invalid."""
    with serving(certificate) as server:
        url = server.url
    load = Load(url, ("/items",), NAME, str(certificate))
    run = load.run(load.plan(100, seconds=0.2, least=20), tmp_path)
    assert "not one of" in invalid(run)
    with pytest.raises(ProbeError, match="GET"):
        Http(url, str(certificate), NAME).get("/items")


def test_a_generator_killed_half_way_is_an_error(certificate: Path, tmp_path: Path) -> None:
    """A record without its last line is refused, whatever stands in it."""
    with serving(certificate) as server:
        load = Load(server.url, ("/items",), NAME, str(certificate))
        plan = load.plan(100, seconds=0.2, least=20)
        load.run(plan, tmp_path)
    record = tmp_path / "requests.jsonl"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ProbeError, match="did not finish"):
        read_run(plan, record)
