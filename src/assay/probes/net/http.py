"""The public API as its users reach it: one small GET, certificate verified, no redirect, no retry."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Self

import requests
from requests.adapters import HTTPAdapter

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.formats.headers import read_headers
from assay.probes.guard import SENT, Guard, Request


REQUEST_TIMEOUT_S = 10.0
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: the URL asked, the status, the body's size in bytes, seconds to the end of it."""

    url: str
    status: int
    size: int
    seconds: float
    method: str = "GET"
    body: bytes = field(default=b"", repr=False)

    @property
    def ref(self) -> str:
        """Return `GET url`, or with the method it was asked with."""
        return f"{self.method} {self.url}"

    @property
    def fields(self) -> Mapping[str, object]:
        """Return the JSON object of the body, empty where it holds none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


class _NamedAdapter(HTTPAdapter):
    """Connects to an address and expects another host name in its certificate."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(max_retries=0)

    def init_poolmanager(
        self, connections: int, maxsize: int, block: bool = False, **options: object
    ) -> None:
        """Make the pool with the expected name."""
        named = {**options, "server_hostname": self.name, "assert_hostname": self.name}
        super().init_poolmanager(connections, maxsize, block, **named)


class Http:
    """GET requests to the public API's address, verified against its CA."""

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(self, url: str, ca: str, name: str, headers: Path | None = None) -> None:
        """Aim at `url`.

        Args:
            url: of the API.
            ca: a PEM file; empty: the authorities that the machine trusts.
            name: the host name asked for; empty: that of the URL.
            headers: a file with what every request carries.
        """
        self.url, self.ca, self.name, self._headers = url.rstrip("/"), ca, name, headers
        self._guard = Guard(self.EFFECT)

    @classmethod
    def from_profile(cls, profile: Profile) -> Self:
        """Return the probe of the profile's `[api]`.

        Raises:
            ProbeError: the profile does not say where the API is, or its CA file cannot be read.
        """
        ca = str(profile.need_path("api.ca")) if profile.api.ca else ""
        return cls(profile.need_text("api.url"), ca, profile.api.host, profile.api.headers)

    def get(self, path: str, headers: Path | None = None) -> Reply:
        """Return the reply to one GET of `path`; any status is a reply.

        `headers` is a file with what it carries beside those of the profile.

        Raises:
            ProbeError: no reply: refused, timed out, or the certificate is not accepted.
        """
        return self._ask("GET", path, headers)

    def get_as(self, authorization: str) -> Reply:
        """Return the reply to one GET of the URL itself with this header; as `get`."""
        return self._ask("GET", "", authorization=authorization)

    def _ask(
        self,
        method: str,
        path: str,
        headers: Path | None = None,
        body: bytes = b"",
        content_type: str = "",
        authorization: str = "",
    ) -> Reply:
        url, effect = self.url + path, Effect.READS if method == "GET" else Effect.WRITES
        self._guard.admit(Request("http", method, path.partition("?")[0], effect))
        with requests.Session() as session:
            session.trust_env = False
            if self.name:
                session.mount("https://", _NamedAdapter(self.name))
            begin = time.monotonic()
            carried = {"User-Agent": SENT.agent, **({"Content-Type": content_type} if content_type else {})}
            for file in (self._headers, headers):
                carried |= read_headers(file) if file else {}
            carried |= {"Authorization": authorization} if authorization else {}
            reply = self._send(session, method, url, body, carried)
            seconds = time.monotonic() - begin
            return Reply(url, reply.status_code, len(reply.content), seconds, method, reply.content)

    def _send(
        self, session: requests.Session, method: str, url: str, body: bytes, carried: Mapping[str, str]
    ) -> requests.Response:
        asked = f"{method} {url}"
        headers = {**carried, **({"Host": self.name} if self.name else {})}
        try:
            return session.request(
                method, url, data=body or None, headers=headers, verify=self.ca or True,
                timeout=REQUEST_TIMEOUT_S, allow_redirects=False,
            )  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise ProbeError(
                f"{asked}: the certificate is not accepted", "check [api] ca and host"
            ) from error
        except requests.exceptions.Timeout as error:
            raise ProbeError(
                f"{asked}: no answer in {REQUEST_TIMEOUT_S:.0f} s", "is the platform serving?"
            ) from error
        except (requests.exceptions.RequestException, OSError) as error:
            remedy = "check [api] url; is the platform serving?"
            raise ProbeError(f"{asked}: {type(error).__name__}", remedy) from error


class WritingHttp(Http):
    """The same, and requests that change something: what a client of the platform does."""

    EFFECT: ClassVar[Effect] = Effect.WRITES

    def post(self, path: str, body: Mapping[str, object]) -> Reply:
        """Return the reply to one POST of `body` as JSON; as `send`."""
        return self.send("POST", path, None, json.dumps(body).encode(), JSON)

    def send(
        self, method: str, path: str, headers: Path | None = None, body: bytes = b"", content_type: str = ""
    ) -> Reply:
        """Return the reply to one request; any status is a reply. It is not sent twice.

        Args:
            method: for example POST.
            path: below the API's URL.
            headers: a file with what it carries beside those of the profile.
            body: what it sends.
            content_type: of the body.

        Raises:
            ProbeError: no reply, so nothing is known about what was done.
        """
        return self._ask(method, path, headers, body, content_type if body else "")
