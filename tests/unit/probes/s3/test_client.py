"""The object storage's probe against a server that misbehaves: each fault is an error with a remedy.

The server speaks just enough of S3 over HTTP; what a real one refuses is judged on the lab (SEC-32).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from assay.backups.ciphertext import readable_inside
from assay.config.profile import S3Access
from assay.effect import Effect
from assay.errors import ProbeError
from assay.probes.guard import Guard
from assay.probes.s3 import client as probe
from assay.probes.s3.client import S3, attempt, connect_s3
from assay.probes.s3.facts import ObjectVersion, as_of


BODY = b"the bytes of a backup" * 40
ETAG = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
ONE = ObjectVersion("b", "k", "1", len(BODY), NOW, latest=True, etag=ETAG)
Answer = Callable[[Any], None]


def send(to: Any, status: int, body: bytes, **headers: str) -> None:  # noqa: ANN401 - a request handler
    to.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        to.send_header(name.replace("_", "-"), value)
    to.end_headers()
    to.wfile.write(body)


def error(status: int, code: str) -> Answer:
    text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>words</Message></Error>".encode()

    def answer(to: Any) -> None:  # noqa: ANN401 - a request handler
        send(to, status, text)

    answer.__name__ = f"{status}_{code}"
    return answer


def ref(one: object) -> str:
    return str(getattr(one, "__name__", one))


def good(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 200, BODY, ETag=f'"{ETAG}"')


class Server(ThreadingHTTPServer):
    """Says nothing of callers that went away."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., S3]]:
    """Return a function that makes a probe whose server answers each request so."""
    running = []

    def make(answer: Answer, timeout: float = 3.0) -> S3:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            do_DELETE = do_HEAD = do_GET  # noqa: N815 - the server's own spelling

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        key = tmp_path / "key.json"
        key.write_text(json.dumps({"access_key": "a", "secret_key": "b"}))
        access = S3Access(
            endpoint=f"http://127.0.0.1:{server.server_port}", buckets={"etcd": "b"}, reader_key=key
        )
        return S3(access, connect_s3(access, key, timeout, tries=1, guard=Guard(Effect.WRITES)))

    yield make
    for server in running:
        server.shutdown()
        server.server_close()


def test_whole_bytes_are_read(serve: Callable[..., S3], tmp_path: Path) -> None:
    s3 = serve(good)
    assert s3.read(ONE) == BODY
    assert s3.fetch(ONE, tmp_path / "f").read_bytes() == BODY


def half(to: Any) -> None:  # noqa: ANN401 - as above
    to.send_response(200)
    to.send_header("Content-Length", str(len(BODY)))
    to.end_headers()
    to.wfile.write(BODY[: len(BODY) // 2])
    to.wfile.flush()
    to.connection.close()


def short(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 200, BODY[:-7], ETag=f'"{ETAG}"')


def flipped(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 200, BODY[:50] + bytes([BODY[50] ^ 1]) + BODY[51:], ETag=f'"{ETAG}"')


def wrong_sum(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 200, BODY, **{"x-amz-meta-sha256": "0" * 64})


def done(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 204, b"")


def slow(to: Any) -> None:  # noqa: ANN401 - as above
    time.sleep(1)
    good(to)


def no_s3(to: Any) -> None:  # noqa: ANN401 - as above
    send(to, 200, b"<html>hello</html>")


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (error(403, "AccessDenied"), "403"),
        (error(404, "NoSuchKey"), "404"),
        (error(500, "InternalError"), "500"),
        (error(503, "SlowDown"), "503"),
        (half, "get Object b/k"),
        (short, "bytes of"),
        (flipped, "do not match"),
        (slow, "get Object b/k"),
        (no_s3, "bytes of"),
    ],
    ids=ref,
)
def test_a_store_that_misbehaves_is_an_error(
    serve: Callable[..., S3], tmp_path: Path, answer: Answer, word: str
) -> None:
    s3 = serve(answer, 0.3)
    with pytest.raises(ProbeError, match=word) as told:
        s3.fetch(ONE, tmp_path / "f")
    assert told.value.remedy
    assert not (tmp_path / "f").exists()


def test_the_uploaders_own_sum_counts(serve: Callable[..., S3]) -> None:
    with pytest.raises(ProbeError, match="SHA-256"):
        serve(wrong_sum).read(dataclasses.replace(ONE, etag=""))


def test_nobody_there_is_an_error(serve: Callable[..., S3]) -> None:
    s3 = serve(good)
    dead = dataclasses.replace(s3.access, endpoint="http://127.0.0.1:9")
    assert dead.reader_key is not None
    with pytest.raises(ProbeError, match="EndpointConnectionError"):
        S3(dead, connect_s3(dead, dead.reader_key, 0.5, tries=1)).read(ONE)


def listing(more: str) -> bytes:
    row = "<Version><Key>k</Key><VersionId>1</VersionId><IsLatest>true</IsLatest><Size>1</Size>"
    row += "<LastModified>2026-11-24T12:00:00.000Z</LastModified><ETag>x</ETag></Version>"
    return f"<ListVersionsResult><Name>b</Name>{more}{row}</ListVersionsResult>".encode()


def removed(code: str, *, listed: bool) -> Answer:
    """Return a store that has no object any more, and lists it or not."""

    def answer(to: Any) -> None:  # noqa: ANN401 - as above
        if "versions" in to.path.split("?")[-1]:
            whole = "<IsTruncated>false</IsTruncated>"
            none = b"<ListVersionsResult><IsTruncated>false</IsTruncated></ListVersionsResult>"
            send(to, 200, listing(whole) if listed else none)
        elif to.command == "HEAD":
            send(to, 404, b"")
        else:
            error(404, code)(to)

    return answer


@pytest.mark.parametrize("code", ["NoSuchKey", "NoSuchVersion"])
def test_a_version_that_went_after_the_list_is_left_out(serve: Callable[..., S3], code: str) -> None:
    s3 = serve(removed(code, listed=False))
    assert s3.heads([ONE, ONE]) == []
    assert s3.holds([ONE]) == []
    assert list(readable_inside(s3, [ONE], [b"x"], 1e6)) == []


def test_a_version_that_is_listed_and_not_handed_out_is_an_error(serve: Callable[..., S3]) -> None:
    s3 = serve(removed("NoSuchKey", listed=True))
    for ask in (s3.heads, s3.holds):
        with pytest.raises(ProbeError, match="404"):
            ask([ONE])


def test_a_version_that_is_refused_is_an_error(serve: Callable[..., S3]) -> None:
    with pytest.raises(ProbeError, match="403"):
        serve(error(403, "AccessDenied")).heads([ONE])


def test_a_list_that_breaks_off_is_no_list(serve: Callable[..., S3]) -> None:
    whole = serve(lambda to: send(to, 200, listing("<IsTruncated>false</IsTruncated>")))
    assert [one.key for one in whole.versions("b")] == ["k"]
    half_of_it = serve(lambda to: send(to, 200, listing("<IsTruncated>true</IsTruncated>")))
    with pytest.raises(ProbeError, match="breaks off"):
        half_of_it.versions("b")
    same = "<IsTruncated>true</IsTruncated><NextKeyMarker>k</NextKeyMarker>"
    with pytest.raises(ProbeError, match="breaks off"):
        serve(lambda to: send(to, 200, listing(same))).versions("b")


@pytest.mark.parametrize(
    ("answer", "admitted"),
    [(error(403, "AccessDenied"), False), (done, True), (error(409, "X"), False)],
    ids=ref,
)
def test_an_attempt_is_refused_or_got_through(
    serve: Callable[..., S3], answer: Answer, admitted: bool
) -> None:
    s3 = serve(answer)
    tried = attempt("try it", lambda: s3._client.delete_object(Bucket="b", Key="k"))
    assert tried.admitted is admitted


@pytest.mark.parametrize(
    "answer",
    [error(503, "SlowDown"), error(403, "SignatureDoesNotMatch"), error(404, "NoSuchBucket")],
    ids=ref,
)
def test_what_is_neither_done_nor_refused_is_an_error(serve: Callable[..., S3], answer: Answer) -> None:
    s3 = serve(answer)
    with pytest.raises(ProbeError):
        attempt("try it", lambda: s3._client.delete_object(Bucket="b", Key="k"))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"access_key": "a"}', "\0"])
def test_no_key_file_is_said_without_quoting_it(tmp_path: Path, text: str) -> None:
    key = tmp_path / "key.json"
    key.write_text(text)
    with pytest.raises(ProbeError, match="no key file") as told:
        connect_s3(S3Access(endpoint="http://127.0.0.1:9"), key)
    assert told.value.__cause__ is None


def test_a_bucket_as_it_was(serve: Callable[..., S3]) -> None:
    hour = dt.timedelta(hours=1)
    made = dataclasses.replace(ONE, id="1", modified=NOW, latest=False)
    over = dataclasses.replace(ONE, id="2", modified=NOW + hour, latest=False)
    mark = dataclasses.replace(ONE, id="3", modified=NOW + 2 * hour, marker=True)
    every = [mark, over, made]
    assert [one.id for one in as_of(every, NOW)] == ["1"]
    assert [one.id for one in as_of(every, NOW + hour)] == ["2"]
    assert as_of(every, NOW + 2 * hour) == []
    assert as_of(every, NOW - hour) == []
    assert probe.ABSENT
