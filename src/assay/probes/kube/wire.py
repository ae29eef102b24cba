"""Questions to one API server: whole lists, single objects, and requests that may be refused.

No client library in here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_fixed

from assay.effect import Effect
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.model import Attempt
from assay.probes.guard import READING, Guard
from assay.probes.kube.requests import kube_request
from assay.secretscan.suspect import repeated


JSON = "application/json"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
NAMES_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
PAGE_SIZE = 250
MAX_REASON_CHARS = 1000
# How often a read is tried while the server says 429, and the seconds between.
BUSY_TRIES, BUSY_WAIT_S = 6, 1.0
LIST_RESTARTS = 2
REMEDIES = {
    401: "renew the credential of the kubeconfig: expired certificate or token",
    403: "give the suite's reader role this right",
    404: "check the name, and that this API is served",
    410: "the list changed faster than it could be read; run again",
    429: "the API server is overloaded; run again when it is not",
}
T = TypeVar("T")
Send = Callable[[str, str, Mapping[str, str], bytes | None], tuple[int, bytes]]


class ExpiredListError(ProbeError):
    """A list's continue token ran out (410) before its end was read."""


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What the API server said: HTTP status and the JSON object of the body."""

    status: int
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def ok(self) -> bool:
        """Return True for 200 to 299."""
        return 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """Return the server's own words on one line."""
        return repeated(str(self.body.get("message") or f"HTTP {self.status}"), MAX_REASON_CHARS)


@dataclass(frozen=True, slots=True)
class Wire:
    """One API server; `send` takes (method, path, headers, body) and returns (status, bytes).

    `guard` stands before it: what has a bigger effect than it allows is not sent.
    """

    server: str
    send: Send
    guard: Guard = READING

    def allowing(self, effect: Effect) -> Wire:
        """Return the same connection for requests of a bigger effect; for writers and drills."""
        return replace(self, guard=replace(self.guard, effect=effect))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        content: str = JSON,
        accept: str = JSON,
        token: str = "",
    ) -> ApiAnswer:
        """Return the answer to one request, whatever its status.

        Raises:
            GuardError: it does more than is allowed here.
            ProbeError: no answer, or a body that is not a JSON object.
        """
        self.guard.admit(kube_request(method, path, self.guard, body))
        headers = {
            "Accept": accept,
            "Content-Type": content,
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        status, raw = self.send(method, path, headers, None if body is None else json.dumps(body).encode())
        return ApiAnswer(status, self._parsed(method, path, status, raw))

    def _parsed(self, method: str, path: str, status: int, raw: bytes) -> Mapping[str, Any]:
        if status >= 400 and not raw.lstrip().startswith(b"{"):
            return {"message": raw[:MAX_REASON_CHARS].decode("utf-8", "replace")}
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError) as problem:
            raise ProbeError(
                f"{self.server}: {method} {path}: the answer is not JSON", "is this a Kubernetes API server?"
            ) from problem
        if not isinstance(body, dict):
            raise ProbeError(
                f"{self.server}: {method} {path}: the answer is not an object",
                "is this a Kubernetes API server?",
            )
        return body

    def get(self, path: str, accept: str = JSON) -> Mapping[str, Any]:
        """Return the object at `path`.

        A server that says 429 is asked again for some seconds, as client-go does: the first list of a custom
        resource is refused until its cache is filled.

        Raises:
            ProbeError: any other status than 200, with a remedy.
        """
        patient = Retrying(
            retry=retry_if_result(lambda answer: answer.status == 429),
            stop=stop_after_attempt(BUSY_TRIES),
            wait=wait_fixed(BUSY_WAIT_S),
            retry_error_callback=lambda tried: tried.outcome.result() if tried.outcome else None,
        )
        return self.need(patient(self.ask, "GET", path, accept=accept), "GET", path).body

    def need(self, answer: ApiAnswer, method: str, path: str) -> ApiAnswer:
        """Return `answer` if it is a success.

        Raises:
            ProbeError: it is not, with a remedy.
        """
        if answer.ok:
            return answer
        kind = ExpiredListError if answer.status == 410 else ProbeError
        remedy = REMEDIES.get(
            answer.status,
            "look at the API server's own log" if answer.status >= 500 else "look at the words of the answer",
        )
        raise kind(f"{self.server}: {method} {path}: {answer.status}: {answer.reason}", remedy)

    def items(self, path: str, accept: str = JSON, **selectors: str) -> list[Mapping[str, Any]]:
        """Return every object of the list at `path`, read page by page to its end; errors as for `each`."""
        return self.each(path, lambda item: item, accept, **selectors)

    def each(
        self, path: str, make: Callable[[Mapping[str, Any]], T], accept: str = JSON, **selectors: str
    ) -> list[T]:
        """Return what `make` makes of every object of a list, of which one page is held at a time.

        A list that expires meanwhile is read anew.

        Raises:
            ProbeError: denied, unreachable, malformed, or fewer objects than the server announced.
        """
        for _ in range(LIST_RESTARTS):
            try:
                return [make(item) for item in self._pages(path, accept, selectors)]
            except ExpiredListError:
                continue
        return [make(item) for item in self._pages(path, accept, selectors)]

    def _pages(self, path: str, accept: str, selectors: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        query, announced = {**selectors, "limit": str(PAGE_SIZE)}, None
        while True:
            page = self.get(f"{path}?{urlencode(query)}", accept)
            rows, meta = self._rows(path, page)
            yield from rows
            announced = self._remaining(path, announced, len(rows), meta)
            if not meta.get("continue"):
                return
            query["continue"] = str(meta["continue"])

    def _rows(self, path: str, page: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], Mapping[str, Any]]:
        rows, meta = page.get("items"), page.get("metadata")
        whole = "items" in page and str(page.get("kind", "")).endswith("List")
        rows = [] if whole and rows is None else rows
        if (
            not whole
            or not isinstance(rows, list)
            or not isinstance(meta, Mapping)
            or not all(isinstance(r, Mapping) for r in rows)
        ):
            raise ProbeError(
                f"{self.server}: {path}: half a list: no kind List, items or metadata",
                "ask again; is a proxy in between?",
            )
        return rows, meta

    def _remaining(self, path: str, announced: int | None, got: int, meta: Mapping[str, Any]) -> int | None:
        left = meta.get("remainingItemCount")
        expected = None if announced is None else announced - got
        with parsing(f"{self.server}: {path}: remainingItemCount"):
            now = int(left) if left is not None else (None if meta.get("continue") else 0)
        if (expected is not None and now is not None and expected != now) or (
            now and not meta.get("continue")
        ):
            message = f"{self.server}: {path}: short list: {now} left where {expected} were expected"
            raise ProbeError(message, "ask again; is a proxy in between?")
        return now if now is not None else expected

    def attempt(self, ref: str, method: str, path: str, body: object, content: str = JSON) -> Attempt:
        """Return whether a request that admission judges got through, and the words of the refusal.

        Raises:
            ProbeError: the answer says nothing about admission: no valid credential, no right to ask, or a
                server error.
        """
        answer = self.ask(method, path, body, content)
        denied = answer.status == 403 and " cannot " in answer.reason and "in API group" in answer.reason
        if answer.status in {401, 410, 429} or answer.status >= 500 or denied:
            self.need(answer, method, path)
        return Attempt(ref, answer.ok, "" if answer.ok else answer.reason)
