"""Requests as the platform's own logs have them: real lines, each cut to what is read."""

from __future__ import annotations

import datetime
import gzip
import json
from pathlib import Path

import pytest

from lab.request_log import READERS, Logged, Window, kubernetes, object_store, read, talos, vault


AT = datetime.datetime(2026, 11, 28, 19, 43, 17, tzinfo=datetime.UTC)
NOW = Window(AT, AT)
AGENT = "assay/20261128t194300000z-abcd"
PAIR = tuple[str, str, str]


def event(verb: str, uri: str, about: dict[str, str] | None = None, number: int = 0) -> str:
    """Return one line of an API server's audit log."""
    return json.dumps(
        {
            "auditID": f"{verb}{uri}{number}",
            "stage": "ResponseComplete",
            "requestURI": uri,
            "verb": verb,
            "user": {"username": "admin"},
            "userAgent": AGENT,
            **({"objectRef": about} if about else {}),
            "requestReceivedTimestamp": "2026-11-28T19:43:17.979083Z",
        }
    )


def words(found: list[Logged]) -> list[PAIR]:
    """Return verb, resource and effect of each."""
    return [(one.verb, one.resource, one.effect) for one in found]


PODS = {"resource": "pods", "apiVersion": "v1", "namespace": "shop"}
JOBS = {"resource": "jobs", "apiGroup": "batch", "apiVersion": "v1"}
SELF = {"resource": "selfsubjectreviews", "apiGroup": "authentication.k8s.io"}


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (event("list", "/api/v1/pods?limit=500", PODS), ("list", "pods", "reads")),
        (event("create", "/api/v1/namespaces/shop/pods?dryRun=All", PODS), ("create", "pods", "dry-run")),
        (event("create", "/api/v1/namespaces/shop/pods", PODS), ("create", "pods", "writes")),
        (event("create", "/api/v1/namespaces/shop/pods?dryRun=", PODS), ("create", "pods", "writes")),
        (
            event("deletecollection", "/apis/batch/v1/jobs", JOBS),
            ("deletecollection", "batch/jobs", "writes"),
        ),
        (
            event("create", "/apis/authentication.k8s.io/v1/selfsubjectreviews", SELF),
            ("create", "authentication.k8s.io/selfsubjectreviews", "reads"),
        ),
        (event("get", "/livez?verbose"), ("get", "/livez", "reads")),
        (
            event("get", "/api/v1/namespaces/shop/pods/x/exec", {**PODS, "subresource": "exec"}),
            ("get", "pods/exec", "reads"),
        ),
    ],
)
def test_requests_to_an_api_server(line: str, wanted: PAIR) -> None:
    assert words(list(kubernetes("cp-1", [line], NOW))) == [wanted]


def test_a_request_with_several_stages_is_one() -> None:
    stages = [event("get", "/livez"), event("get", "/livez"), event("get", "/livez", number=1)]
    assert len(list(kubernetes("cp-1", stages, NOW))) == 2


def entry(operation: str, path: str, kind: str = "request", number: int = 0) -> str:
    """Return one entry of Vault's audit device."""
    asked = {"id": f"{operation}{path}{number}", "operation": operation, "path": path}
    asked |= {"headers": {"user-agent": [AGENT]}}  # type: ignore[dict-item]
    return json.dumps({"type": kind, "time": "2026-11-28T19:43:17.07Z", "auth": {}, "request": asked})


def cri(text: str, tag: str = "F", stream: str = "stdout") -> str:
    """Return a line as the container runtime writes it."""
    return f"2026-11-28T19:43:17.071691077Z {stream} {tag} {text}"


@pytest.mark.parametrize(
    ("operation", "path", "wanted"),
    [
        ("read", "kv/data/shop/api", ("read", "kv/data/*", "reads")),
        ("list", "kv/metadata/", ("list", "kv/metadata/*", "reads")),
        ("list", "auth/kubernetes/role/", ("list", "auth/kubernetes/role", "reads")),
        ("read", "auth/kubernetes/role/api", ("read", "auth/kubernetes/role/*", "reads")),
        ("update", "auth/token/lookup-accessor", ("update", "auth/token/lookup-accessor", "reads")),
        ("create", "kv/data/shop/new", ("update", "kv/data/*", "writes")),
        ("delete", "kv/metadata/shop/new", ("delete", "kv/metadata/*", "writes")),
        ("update", "sys/seal", ("update", "sys/seal", "writes")),
    ],
)
def test_requests_to_vault(operation: str, path: str, wanted: PAIR) -> None:
    lines = [cri(entry(operation, path, kind)) for kind in ("request", "response")]
    assert words(list(vault("vault-0", lines, NOW))) == [wanted]


def test_a_long_line_that_the_runtime_cut_is_joined_and_the_servers_own_words_are_left_out() -> None:
    whole = entry("read", "sys/mounts")
    lines = [cri('{"@level":"info"}', stream="stderr"), cri("==> Vault started"), cri(whole[:40], "P")]
    assert words(list(vault("vault-0", [*lines, cri(whole[40:])], NOW))) == [("read", "sys/mounts", "reads")]


def access(method: str, target: str) -> str:
    """Return one line of the object store's access log."""
    when = "28/Nov/2026:19:43:17.026 +0000"
    return (
        f"2026-11-28T19:43:17.030+0000 7fb27 1 beast: 0x7fb2: 10.98.0.1 - reader [{when}] "
        f'"{method} {target} HTTP/1.1" 200 0 - "{AGENT} Botocore/1.44.5" - latency=0.004000000s'
    )


@pytest.mark.parametrize(
    ("method", "target", "wanted"),
    [
        ("GET", "/", ("ListBuckets", "*", "reads")),
        ("GET", "/backups?versions&prefix=&encoding-type=url", ("ListObjectVersions", "backups", "reads")),
        ("GET", "/backups?object-lock", ("GetObjectLockConfiguration", "backups", "reads")),
        ("GET", "/backups/a/b%20c?versionId=x", ("GetObject", "backups", "reads")),
        ("HEAD", "/backups/a?versionId=x", ("HeadObject", "backups", "reads")),
        ("PUT", "/backups/a", ("PutObject", "backups", "writes")),
        ("PUT", "/backups", ("CreateBucket", "backups", "writes")),
        ("DELETE", "/backups/a?versionId=x", ("DeleteObject", "backups", "writes")),
        ("POST", "/backups?delete", ("POST delete", "backups", "writes")),
    ],
)
def test_requests_to_the_object_store(method: str, target: str, wanted: PAIR) -> None:
    assert words(list(object_store("rgw", [access(method, target), "2026 7fb2 1 other: words"], NOW))) == [
        wanted
    ]


def call(method: str, code: str = "OK", outcome: str = "Success", by: str = "machined") -> str:
    """Return one line of a node's log of the Talos API."""
    stamp = "2026/11/28 19:43:17"
    return (
        f"{stamp}.355940 {by} {stamp} {code} [/{method}] 1.038018ms unary {outcome} "
        "(:authority=localhost;talos-role=os:admin)"
    )


MISSING = 'service "assay-no-such-service" not defined'
DENIED = "rpc error: code = PermissionDenied desc = not authorized"


@pytest.mark.parametrize(
    ("line", "effect"),
    [
        (call("machine.MachineService/Version"), "reads"),
        (call("cosi.resource.State/List"), "reads"),
        (call("cosi.resource.State/Destroy"), "writes"),
        (call("machine.MachineService/ApplyConfiguration"), "writes"),
        (call("machine.MachineService/ApplyConfiguration", "PermissionDenied", DENIED), "dry-run"),
        (call("machine.MachineService/ServiceRestart"), "writes"),
        (call("machine.MachineService/ServiceRestart", "Unknown", MISSING), "dry-run"),
        (call("machine.MachineService/Reset", "Unknown", "failed to reset"), "writes"),
        (call("machine.MachineService/NobodyKnowsThis"), "writes"),
    ],
)
def test_calls_of_the_talos_api(line: str, effect: str) -> None:
    assert [one.effect for one in talos("cp-1", [line], NOW)] == [effect]


def test_what_a_node_only_hands_on_is_not_counted() -> None:
    assert not list(talos("cp-1", [call("machine.MachineService/ServiceRestart", by="apid")], NOW))


def test_logs_are_read_within_the_time_and_rotated_ones_too(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(event("get", "/livez") + "\n")
    with gzip.open(tmp_path / "a.log.1.gz", "wt") as file:
        file.write(event("get", "/readyz") + "\n")
    known = {"apiserver_audit": {"files": {"cp-1": [f"{tmp_path}/a.log*"]}}}
    found = read(known, Window(AT, AT))["apiserver_audit", "cp-1"]
    assert sorted(one.resource for one in found) == ["/livez", "/readyz"]
    later = AT + datetime.timedelta(minutes=5)
    assert read(known, Window(later, later))["apiserver_audit", "cp-1"] == []


def test_every_kind_of_log_has_a_reader() -> None:
    from lab import logs

    assert set(READERS) == set(logs.known())
