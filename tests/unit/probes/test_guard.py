"""What a transport refuses to send: everything beyond its effect, whatever the way there."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.profile import S3Access
from assay.effect import Effect
from assay.errors import GuardError
from assay.probes.etcd import Etcd
from assay.probes.guard import READING, SENT, Guard, Request
from assay.probes.kube import requests as kube
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import DryRunKube, TokenKube
from assay.probes.kube.wire import Wire
from assay.probes.net.http import Http, WritingHttp
from assay.probes.s3.client import connect_s3
from assay.probes.talos import requests as talos
from assay.probes.talos.ctl import Talosctl
from assay.probes.talos.facts import Machine
from assay.probes.vault import requests as vault
from assay.probes.vault.client import VaultConnection
from assay.writers.kube import KubeWriter


NODE = Machine("cp-1", "192.0.2.11", "controlplane")
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "shop"}}


class Door:
    """An API server that counts what reaches it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def __call__(self, method: str, path: str, *_: object) -> tuple[int, bytes]:
        self.calls.append((method, path))
        return 200, b"{}"


@pytest.mark.parametrize(("method", "path", "verb", "resource", "effect"), [
    ("GET", "/api/v1/pods?limit=250", "list", "pods", "reads"),
    ("GET", "/api/v1/namespaces/shop/pods/a", "get", "pods", "reads"),
    ("GET", "/api/v1/namespaces/kube-system", "get", "namespaces", "reads"),
    ("GET", "/version", "get", "/version", "reads"),
    ("GET", "/apis/apps/v1", "get", "/apis/apps/v1", "reads"),
    ("GET", "/apis/apps/v1/namespaces/a/deployments", "list", "apps/deployments", "reads"),
    ("GET", "/api/v1/namespaces/shop/pods/a/exec?command=rm", "get", "pods/exec", "writes"),
    ("GET", "/api/v1/nodes/cp-1/proxy/run", "get", "nodes/proxy/run", "writes"),
    ("POST", "/api/v1/namespaces/shop/pods", "create", "pods", "writes"),
    ("POST", "/api/v1/namespaces/shop/pods?dryRun=All", "create", "pods", "dry-run"),
    ("POST", "/api/v1/namespaces/shop/pods?dryRun=all", "create", "pods", "writes"),
    ("POST", "/api/v1/namespaces/shop/pods?x=dryRun=All", "create", "pods", "writes"),
    ("PATCH", "/api/v1/namespaces/shop/pods/a/ephemeralcontainers?dryRun=All", "patch",
     "pods/ephemeralcontainers", "dry-run"),
    ("POST", "/api/v1/namespaces/shop/serviceaccounts/a/token", "create", "serviceaccounts/token", "writes"),
    ("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "create",
     "authentication.k8s.io/selfsubjectreviews", "reads"),
    ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", "create",
     "authorization.k8s.io/selfsubjectaccessreviews", "reads"),
    ("POST", "/apis/evil.example/v1/selfsubjectreviews", "create", "evil.example/selfsubjectreviews",
     "writes"),
    ("POST", "/api/v1/namespaces/assay-decoy-1/pods", "create", "pods", "decoy"),
    ("POST", "/api/v1/namespaces/my-assay-decoy-1/pods", "create", "pods", "writes"),
    ("DELETE", "/api/v1/namespaces/assay-decoy-1", "delete", "namespaces", "decoy"),
    ("DELETE", "/api/v1/namespaces/shop/pods", "deletecollection", "pods", "writes"),
    ("PUT", "/api/v1/namespaces/shop/finalize", "update", "namespaces/finalize", "writes"),
    ("PUT", "/healthz", "put", "/healthz", "writes"),
])  # fmt: skip
def test_what_a_request_to_the_kubernetes_api_is(
    method: str, path: str, verb: str, resource: str, effect: str
) -> None:
    assert kube.kube_request(method, path, READING) == Request("kubernetes", verb, resource, Effect(effect))


def test_a_namespace_of_our_own_is_a_decoy_by_its_name_in_the_body() -> None:
    made = [{"metadata": {"name": name}} for name in ("assay-decoy-1", "shop")]
    effects = [kube.kube_request("POST", "/api/v1/namespaces", READING, body).effect for body in made]
    assert effects == [Effect.DECOY, Effect.WRITES]
    assert kube.kube_request("POST", "/api/v1/namespaces", READING, "no object").effect is Effect.WRITES


@given(
    st.sampled_from(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "get"]),
    st.text(alphabet="/abcpodsv1.?=&%dryRunAll-", max_size=60),
)
def test_a_reading_wire_sends_nothing_but_reads(method: str, path: str) -> None:
    connection = Door()
    with pytest.raises(GuardError):
        Wire("s", connection).ask(method, path, POD)
    assert not connection.calls


def test_a_wire_sends_what_its_effect_allows_and_no_more() -> None:
    connection = Door()
    trying = Wire("s", connection, Guard(Effect.DRY_RUN))
    trying.ask("POST", "/api/v1/namespaces/shop/pods?dryRun=All", POD)
    with pytest.raises(GuardError, match="create pods: writes, where only dry-run is allowed; not sent"):
        trying.ask("POST", "/api/v1/namespaces/shop/pods", POD)
    assert len(connection.calls) == 1


def test_the_readers_have_no_verb_that_does_more(tmp_path: Path) -> None:
    assert not hasattr(Kube, "dry_run")
    assert not hasattr(DryRunKube, "service_token")
    assert not hasattr(Http, "post")
    assert [kind.EFFECT for kind in (Kube, DryRunKube, TokenKube)] == ["reads", "dry-run", "writes"]
    assert WritingHttp("https://a", "", "", "/").EFFECT is Effect.WRITES


def test_a_writer_opens_the_wire_that_it_writes_through() -> None:
    connection = Door()
    KubeWriter(Wire("s", connection)).apply(POD)
    with pytest.raises(GuardError):
        KubeWriter(Wire("s", connection), Effect.DECOY).apply(POD)
    assert len(connection.calls) == 1


@pytest.mark.parametrize(("method", "path", "request_"), [
    ("get", "sys/health", Request("vault", "read", "sys/health")),
    ("list", "auth/kubernetes/role", Request("vault", "list", "auth/kubernetes/role")),
    ("get", "auth/k8s/prod/role/api", Request("vault", "read", "auth/k8s/prod/role/*")),
    ("get", "sys/policies/acl/api", Request("vault", "read", "sys/policies/acl/*")),
    ("list", "kv/metadata/apps/", Request("vault", "list", "kv/metadata/*")),
    ("post", "auth/token/lookup-accessor", Request("vault", "update", "auth/token/lookup-accessor")),
    ("post", "auth/kubernetes/login", Request("vault", "update", "auth/kubernetes/login", Effect.WRITES)),
    ("put", "sys/seal", Request("vault", "update", "sys/seal", Effect.WRITES)),
    ("delete", "kv/data/a", Request("vault", "delete", "kv/data/*", Effect.WRITES)),
])  # fmt: skip
def test_what_a_request_to_vault_is(method: str, path: str, request_: Request) -> None:
    assert vault.vault_request(method, path) == request_


@pytest.mark.parametrize(("words", "effect"), [
    ("version", "reads"), ("get machineconfig", "reads"), ("etcd snapshot /tmp/a", "reads"),
    ("etcd alarm list", "reads"), ("etcd alarm disarm", "writes"), ("etcd remove-member a", "writes"),
    ("service kubelet restart", "writes"), ("service assay-no-such-service restart", "dry-run"),
    ("reset", "writes"), ("reboot", "writes"), ("patch machineconfig --dry-run --patch {}", "dry-run"),
    ("patch machineconfig --patch {}", "writes"), ("config new --roles os:admin x", "writes"),
])  # fmt: skip
def test_what_a_run_of_talosctl_is(words: str, effect: str) -> None:
    assert talos.talos_request(tuple(words.split())).effect is Effect(effect)


def refusals(folder: Path) -> dict[str, Callable[[], object]]:
    """Return one change by each transport that reads, aimed at addresses where nobody answers."""
    key = folder / "key.json"
    key.write_text(json.dumps({"access_key": "a", "secret_key": "b"}))
    s3 = connect_s3(S3Access(endpoint="http://127.0.0.1:1"), key)
    return {
        "s3 put": lambda: s3.put_object(Bucket="b", Key="k", Body=b""),
        "s3 versioning": lambda: s3.put_bucket_versioning(Bucket="b", VersioningConfiguration={}),
        "s3 delete": lambda: s3.delete_bucket(Bucket="b"),
        "vault": lambda: VaultConnection("https://127.0.0.1:1", folder).ask("put", "sys/seal"),
        "talos": lambda: Talosctl(folder / "talosctl", folder).run(NODE, "reboot"),
        "etcd": lambda: Etcd(("https://127.0.0.1:1",), ssl.create_default_context()).ask(
            "https://127.0.0.1:1", "/v3/kv/put", {}
        ),
        "http": lambda: Http("https://127.0.0.1:1", "", "", "/")._ask("POST", "/orders", {}),
    }


@pytest.mark.parametrize("how", ["s3 put", "s3 versioning", "s3 delete", "vault", "talos", "etcd", "http"])
def test_no_transport_that_reads_sends_a_change(tmp_path: Path, how: str) -> None:
    with pytest.raises(GuardError, match="not sent"):
        refusals(tmp_path)[how]()


def test_a_bucket_of_our_own_takes_decoys_and_no_other_does(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(json.dumps({"access_key": "a", "secret_key": "b"}))
    guard = Guard(Effect.DECOY, ("canaries",))
    s3 = connect_s3(S3Access(endpoint="http://127.0.0.1:1"), tmp_path / "key.json", guard=guard)
    with pytest.raises(GuardError, match="PutObject backups: writes"):
        s3.put_object(Bucket="backups", Key="k", Body=b"")
    with pytest.raises(GuardError, match="PutObject canaries-2: writes"):
        s3.put_object(Bucket="canaries-2", Key="k", Body=b"")
    guard.admit(Request("s3", "PutObject", "canaries", guard.place("canaries")))


def test_what_was_sent_is_counted_and_taken_once() -> None:
    SENT.take()
    READING.admit(Request("kubernetes", "list", "pods"))
    READING.admit(Request("kubernetes", "list", "pods"))
    READING.admit(Request("kubernetes", "get", "/version"))
    assert SENT.take() == (
        ("kubernetes", "get", "/version", "reads", 1), ("kubernetes", "list", "pods", "reads", 2),
    )  # fmt: skip
    assert SENT.take() == ()


def test_what_is_refused_is_not_counted_as_sent() -> None:
    SENT.take()
    with pytest.raises(GuardError):
        READING.admit(Request("kubernetes", "create", "pods", Effect.WRITES))
    assert SENT.take() == ()


def test_requests_carry_the_run_in_their_user_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a platform's owner finds them in the platform's own logs."""
    monkeypatch.setattr(SENT, "run", "20261128t000000z-abcd")
    key = tmp_path / "key.json"
    key.write_text(json.dumps({"access_key": "a", "secret_key": "b"}))
    assert SENT.agent == "assay/20261128t000000z-abcd"
    s3 = connect_s3(S3Access(endpoint="http://127.0.0.1:1"), key)
    assert SENT.agent in s3.meta.config.user_agent
    vault_session = VaultConnection("https://127.0.0.1:1", tmp_path)._client.session
    assert vault_session.headers["User-Agent"] == SENT.agent
