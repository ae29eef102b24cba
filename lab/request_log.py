"""What the platform's own logs hold of requests, in the words of `assay requests`.

Written without the suite's library: a list of what was sent and a log of what arrived prove something only
where neither is made from the other.
"""

from __future__ import annotations

import datetime
import gzip
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


READS, DRY_RUN, WRITES = "reads", "dry-run", "writes"
LOOKS = ("get", "list", "watch", "read")
# An API server, and Vault, answer these and keep nothing of them.
REVIEWS = (
    "authentication.k8s.io/selfsubjectreviews",
    "authorization.k8s.io/selfsubjectaccessreviews",
    "authorization.k8s.io/selfsubjectrulesreviews",
    "authorization.k8s.io/subjectaccessreviews",
)
LOOKUPS = ("auth/token/lookup-accessor", "sys/capabilities-self")
NAMED = re.compile(r"^(?:(auth/.+?/role|sys/policies/acl)/.+|([^/]+/(?:data|metadata))/.*)$")
AUDIT_STAMP = re.compile(r'"requestReceivedTimestamp": ?"([^"]+)"')
CRI = re.compile(r"^\S+ stdout ([PF]) (.*)$")
S3_LINE = re.compile(r' - (\S+) \[([^\]]+)\] "(\S+) (\S+) HTTP/[\d.]+" \d+ \S+ \S+ "([^"]*)"')
S3_OPERATIONS = {
    ("bucket", "GET", "versions"): "ListObjectVersions",
    ("bucket", "GET", "lifecycle"): "GetBucketLifecycleConfiguration",
    ("bucket", "GET", "object-lock"): "GetObjectLockConfiguration",
    ("bucket", "GET", "policy"): "GetBucketPolicy",
    ("bucket", "GET", "versioning"): "GetBucketVersioning",
    ("object", "GET", "retention"): "GetObjectRetention",
}
S3_PLAIN = {
    ("", "GET"): "ListBuckets",
    ("bucket", "GET"): "ListObjects",
    ("bucket", "HEAD"): "HeadBucket",
    ("bucket", "PUT"): "CreateBucket",
    ("bucket", "DELETE"): "DeleteBucket",
    ("object", "GET"): "GetObject",
    ("object", "HEAD"): "HeadObject",
    ("object", "PUT"): "PutObject",
    ("object", "DELETE"): "DeleteObject",
}
TALOS_LINE = re.compile(r"^(\S+ \S+) machined \S+ \S+ (\w+) \[/([\w.]+)/(\w+)\] \S+ \w+ (.*) \(:authority=")
TALOS_READS = re.compile(
    r"^machine\.MachineService/(Version|Read|Netstat|EtcdMemberList|EtcdStatus|EtcdAlarmList|EtcdSnapshot)$"
    r"|^cosi\.resource\.State/(Get|List|Watch)$"
)
# Refused, or asked of something that is not there: nothing changed.
TALOS_NOTHING = re.compile(r'"assay-no-such-[\w-]+" (not defined|not found)')


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as a log of the platform has it.

    Attributes:
        source: whose log: an API server, a node, a member.
        system: `kubernetes`, `vault`, `s3` or `talos`.
        verb: in the words of `assay requests`; empty for Talos, whose log has the method alone.
        resource: the same.
        effect: `reads`, `dry-run` or `writes`, by the log alone; what it does not tell is `writes`.
        at: when it arrived (UTC).
        who: the identity that the log has; for Talos none.
        agent: the user agent; for Talos none.
    """

    source: str
    system: str
    verb: str
    resource: str
    effect: str
    at: datetime.datetime
    who: str = ""
    agent: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.source}: {self.system} {self.verb} {self.resource} ({self.effect})".replace("  ", " ")


@dataclass(frozen=True, slots=True)
class Window:
    """From when until when is looked; logs are to the second or better."""

    begin: datetime.datetime
    end: datetime.datetime

    def holds(self, at: datetime.datetime) -> bool:
        """Return whether a moment is in it, a second more on both sides."""
        second = datetime.timedelta(seconds=1)
        return self.begin - second <= at <= self.end + second


Reader = Callable[[str, Iterable[str], Window], Iterator[Logged]]


def read(known: Mapping[str, Mapping[str, Any]], window: Window) -> dict[tuple[str, str], list[Logged]]:
    """Return the requests in `window` by (kind of log, source), as STATE/logs.json names them."""
    found: dict[tuple[str, str], list[Logged]] = {}
    for kind, log in known.items():
        for source, globs in log["files"].items():
            found[kind, source] = list(READERS[kind](source, _lines(globs, window), window))
    return found


def kubernetes(source: str, lines: Iterable[str], window: Window) -> Iterator[Logged]:
    """Return the requests of an API server's audit log, each once, whatever stages of it were written."""
    seen: set[str] = set()
    for line in lines:
        stamp = AUDIT_STAMP.search(line)  # the log has all callers' requests: most are not worth parsing
        if stamp is None or not window.holds(datetime.datetime.fromisoformat(stamp[1])):
            continue
        event = json.loads(line)
        if event["auditID"] not in seen:
            seen.add(event["auditID"])
            yield _kubernetes(source, event)


def _kubernetes(source: str, event: Mapping[str, Any]) -> Logged:
    about, uri = event.get("objectRef") or {}, urlsplit(event["requestURI"])
    words = [about.get(part, "") for part in ("apiGroup", "resource", "subresource")]
    resource = "/".join(word for word in words if word) if about.get("resource") else uri.path
    if event["verb"] in LOOKS or resource in REVIEWS:
        effect = READS
    else:
        effect = DRY_RUN if parse_qs(uri.query).get("dryRun") == ["All"] else WRITES
    at = datetime.datetime.fromisoformat(event["requestReceivedTimestamp"])
    who = (event.get("user") or {}).get("username", "")
    return Logged(source, "kubernetes", event["verb"], resource, effect, at, who, event.get("userAgent", ""))


def vault(source: str, lines: Iterable[str], window: Window) -> Iterator[Logged]:
    """Return the requests of a member's audit device, each once."""
    seen: set[str] = set()
    for text in _whole(lines):
        entry = json.loads(text) if text.startswith("{") else {}
        asked = entry.get("request") or {}
        if "operation" in asked and asked["id"] not in seen:
            seen.add(asked["id"])
            verb = "update" if asked["operation"] == "create" else str(asked["operation"])
            name = NAMED.sub(lambda found: f"{found[1] or found[2]}/*", asked["path"]).rstrip("/")
            effect = READS if verb in LOOKS or name in LOOKUPS else WRITES
            at = datetime.datetime.fromisoformat(entry["time"])
            if not window.holds(at):
                continue
            who = (entry.get("auth") or {}).get("accessor", "")
            agent = " ".join((asked.get("headers") or {}).get("user-agent", ()))
            yield Logged(source, "vault", verb, name, effect, at, who, agent)


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Return what a container wrote to stdout; a runtime cuts long lines into parts."""
    kept = ""
    for line in lines:
        if (found := CRI.match(line)) is not None:
            kept += found[2]
            if found[1] == "F":
                yield kept
                kept = ""


def object_store(source: str, lines: Iterable[str], window: Window) -> Iterator[Logged]:
    """Return the requests of the object store's access log."""
    for line in lines:
        if (found := S3_LINE.search(line)) is not None:
            who, when, method, target, agent = found.groups()
            split = urlsplit(target)
            bucket, _, key = unquote(split.path).lstrip("/").partition("/")
            level = "object" if key else "bucket" if bucket else ""
            name = _operation(level, method, split.query)
            effect = READS if method in ("GET", "HEAD") else WRITES
            at = datetime.datetime.strptime(when.replace(" ", ""), "%d/%b/%Y:%H:%M:%S.%f%z")
            if window.holds(at):
                yield Logged(source, "s3", name, bucket or "*", effect, at, who, agent)


def _operation(level: str, method: str, query: str) -> str:
    """Return what the API calls a request: by the word of its query that says so, else by its method."""
    words = [word.partition("=")[0] for word in query.split("&")]
    for word in words:
        if (level, method, word) in S3_OPERATIONS:
            return S3_OPERATIONS[level, method, word]
    return S3_PLAIN.get((level, method), f"{method} {'&'.join(words)}")


def talos(source: str, lines: Iterable[str], window: Window) -> Iterator[Logged]:
    """Return the calls of a node's Talos API, as machined carried them out or refused them.

    What apid has is left out: it hands calls on, also those for other nodes, and reports them all as OK.
    """
    for line in lines:
        if (found := TALOS_LINE.match(line)) is not None:
            when, code, service, method, outcome = found.groups()
            name = f"{service}/{method}"
            effect = READS if TALOS_READS.match(name) else WRITES
            if effect == WRITES and (code == "PermissionDenied" or TALOS_NOTHING.search(outcome)):
                effect = DRY_RUN
            at = datetime.datetime.strptime(when, "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=datetime.UTC)
            if window.holds(at):
                yield Logged(source, "talos", "", name, effect, at)


def _lines(globs: Iterable[str], window: Window) -> Iterator[str]:
    """Return the lines of the files that were written to since the window opened."""
    for path in sorted({one for pattern in globs for one in Path("/").glob(pattern.lstrip("/"))}):
        if path.stat().st_mtime >= window.begin.timestamp() - 1:
            opener = gzip.open if path.suffix == ".gz" else open
            with opener(path, "rt", encoding="utf-8", errors="replace") as file:
                yield from file


READERS: Mapping[str, Reader] = {
    "apiserver_audit": kubernetes,
    "vault_audit": vault,
    "object_store_access": object_store,
    "talos_api": talos,
}
