"""Every reader of what an API or a tool answers, fed with anything: it reads, or refuses by an error.

Readers that have a property of their own beside their other tests are not here again.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from assay.backups import schedules
from assay.backups.stateful import inventory
from assay.config.platform import Platform
from assay.config.profile import S3Access
from assay.config.sops_access import SopsAccess
from assay.drills.restore import etcd_evidence
from assay.effect import Effect
from assay.errors import AssayError
from assay.origins import external_secrets, helm_record, kube_leaves, kube_secrets, leaks, talos_secrets
from assay.origins.secret_holders import holders
from assay.origins.sops_secrets import encrypted_configs, sops_secrets
from assay.probes.etcd import Etcd
from assay.probes.guard import Guard
from assay.probes.kube import facts as kube_facts
from assay.probes.kube import rbac as kube_rbac
from assay.probes.kube.client import Kube
from assay.probes.kube.dry_run import TokenKube
from assay.probes.kube.wire import Wire
from assay.probes.net.http import Reply
from assay.probes.s3.client import S3
from assay.probes.s3.facts import ObjectVersion
from assay.probes.sops.client import Sops
from assay.probes.talos.clients import TalosClients
from assay.probes.talos.diff import differences
from assay.probes.talos.facts import Machine
from assay.probes.talos.fleet import assemble
from assay.probes.talos.read import Talos
from assay.probes.talos.shipped import unexpected_files, unexpected_kubelet_mounts
from assay.probes.vault import facts as vault_facts
from assay.probes.vault import login
from assay.probes.vault.client import VaultAnswer, needed
from assay.probes.vault.login import VaultLogins
from assay.probes.vault.policy import vault_role
from assay.secretscan.fingerprint import Fingerprinter
from tests.unit.probes.sops.test_file import sealed
from tests.unit.support.mutations import Parse, altered, blobs, judged, objects, texts
from tests.unit.support.trees import tree


KEYED = Fingerprinter()
NOW = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
META: dict[str, Any] = {
    "namespace": "shop", "name": "app", "uid": "u", "annotations": {"assay.dev/backup-of": "etcd"}, "labels": {"a": "b"},
    "creationTimestamp": "2026-11-24T12:00:00Z", "ownerReferences": [{"kind": "Job", "name": "j", "uid": "u"}],
    "managedFields": [{"manager": "m", "fieldsV1": {"f:data": {"f:k": {}}}}],
}  # fmt: skip
POD: dict[str, Any] = {
    "volumes": [{"name": "v", "secret": {"secretName": "s"}}, {"name": "h", "hostPath": {"path": "/"}},
                {"name": "p", "projected": {"sources": [{"secret": {"name": "s"}},
                 {"serviceAccountToken": {"audience": "a", "expirationSeconds": 60, "path": "t"}}]}}],
    "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "v", "subPath": "x"}, {"name": "h"}],
                    "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    "envFrom": [{"secretRef": {"name": "s"}}], "resources": {"limits": {"cpu": "1"}}}],
}  # fmt: skip
LISTS: dict[str, dict[str, Any]] = {
    "Secret": {"metadata": META, "type": "Opaque", "data": {"k": "YQ=="}},
    "ExternalSecret": {"metadata": META, "spec": {
        "provider": {"vault": {}}, "refreshInterval": "1m", "secretStoreRef": {"name": "app"},
        "target": {"name": "app", "template": {"data": {"line": "a={{ .k }}"}}},
        "data": [{"secretKey": "k", "remoteRef": {"key": "shop/app", "property": "p"}}],
        "dataFrom": [{"extract": {"key": "shop/app"}}]},
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "refreshTime": "2026-11-24T12:00:00Z"}},
    "Pod": {"metadata": {**META, "ownerReferences": []}, "spec": POD, "status": {"phase": "Running",
            "containerStatuses": [{"state": {"running": {"startedAt": "2026-11-24T12:00:00Z"}}}]}},
    "CronJob": {"metadata": META, "spec": {"schedule": "@daily", "suspend": False, "jobTemplate": {"spec": {
        "activeDeadlineSeconds": 5, "template": {"spec": POD}}}, "roles": ["os:etcd:backup"]}},
    "Deployment": {"metadata": META, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": POD}}},
    "Role": {"metadata": META, "rules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}],
             "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
             "roleRef": {"kind": "Role", "name": "app"}, "subjects": [{"kind": "User", "name": "u"}]},
    "Node": {"metadata": META, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}], "claimRef": {"name": "x"}},
             "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"osImage": "Talos"},
                        "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}},
}  # fmt: skip
DISCOVERED = {"kind": "APIGroupList", "metadata": {}, "groups": [
    {"preferredVersion": {"groupVersion": "a/v1"}, "versions": [{"groupVersion": "a/v1"}]}],
    "resources": [{"name": "pods", "kind": "Pod", "verbs": ["list", "get"]}], "items": [LISTS["Pod"]]}  # fmt: skip
VAULT: dict[str, Any] = {"errors": ["one", "two"], "auth": {"policies": ["p"], "client_token": "t"}, "data": {
    "keys": ["a", "b"], "kv/": {"type": "kv", "options": {"version": "2"}}, "policy": 'path "a" { policy = "read" }',
    "data": {"k": "v"}, "metadata": {"version": 3, "created_time": "2026-11-24T12:00:00.123456789Z"},
    "current_version": 1, "versions": {"1": {"created_time": "2026-11-24T12:00:00Z"}},
    "config": {"servers": [{"node_id": "a", "address": "b", "leader": True, "voter": True}]},
    "healthy": True, "failure_tolerance": 1, "servers": {"a": {"healthy": True}}, "accessor": "abc",
    "policies": ["p"], "identity_policies": ["q"], "ttl": 60, "display_name": "x", "file/": {"type": "file"},
    "token_ttl": 900, "audience": "v", "bound_service_account_names": ["a"]}}  # fmt: skip
HEALTH = {"sealed": False, "initialized": True, "type": "shamir", "t": 3, "n": 5, "storage_type": "raft"}
ETCD: dict[str, Any] = {
    "header": {"member_id": "1"}, "leader": "1", "version": "3.6", "raftIndex": "1", "raftAppliedIndex": "1",
    "raftTerm": "1", "errors": ["x"], "alarms": [{"memberID": "1", "alarm": "NOSPACE"}],
    "members": [{"ID": "1", "name": "a", "peerURLs": ["p"], "clientURLs": ["c"], "isLearner": False}],
}  # fmt: skip
TALOS: dict[str, Any] = {
    "version": {"tag": "v1.13.5"}, "features": {"rbac": True}, "metadata": {"id": "v1alpha1"},
    "spec": {"running": True, "healthy": True, "metadata": {"name": "e", "version": "1"}, "nodename": "n",
             "address": "10.0.0.1/24", "extraMounts": [{"destination": "/x", "options": ["rw"]}]},
}  # fmt: skip
CONFIG: dict[str, Any] = {"kind": "KubeTalosAPIAccessConfig", "allowedRoles": ["os:reader"], "machine": {
    "files": [{"path": "/var/x", "op": "create"}],
    "features": {"kubernetesTalosAPIAccess": {"allowedRoles": ["os:reader"]}}}}  # fmt: skip
S3_ANSWERS: dict[str, Any] = {
    "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "M", "Years": 1}}},
    "Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"And": {"Prefix": "p"}}, "Expiration": {"Days": 1},
               "NoncurrentVersionExpiration": {"NoncurrentDays": 2}}],
    "Versions": [{"Key": "k", "VersionId": "1", "IsLatest": True, "Size": 1, "LastModified": NOW, "ETag": "x"}],
    "DeleteMarkers": [{"Key": "k", "VersionId": "1", "IsLatest": True, "LastModified": NOW}],
    "IsTruncated": False, "NextKeyMarker": "k", "ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": NOW,
    "Buckets": [{"Name": "b"}], "Status": "Enabled",
}  # fmt: skip
RELEASE = {"name": "r", "config": {"a": "b"}, "chart": {"values": {"c": [1]}, "templates": [
    {"name": "t.yaml", "data": "YTogYg=="}], "files": [{"name": "f", "data": "YQ=="}]}}  # fmt: skip
GITLEAKS = [{"File": "/x/versions/0", "StartLine": 1, "RuleID": "r"}]
SECRET = """apiVersion: v1
kind: Secret
metadata: {name: app, namespace: shop}
data: {k: YQ==}
stringData: {s: t}
"""
NODE = Machine("cp-1", "10.0.0.1", "controlplane")


def cluster(status: int, raw: bytes) -> TokenKube:
    """Return a cluster that answers everything so."""
    kube = TokenKube(Path("kubeconfig"), ("https://a:6443",))
    wire = Wire("https://a:6443", lambda *_: (status, raw), Guard(Effect.WRITES))
    kube.at = lambda *_: wire  # type: ignore[assignment,misc]
    return kube


def listed(item: object) -> Kube:
    body = {"kind": "List", "metadata": {}, "items": [item]}
    return cluster(200, json.dumps(body).encode())


class Said:
    """A member of Vault that answers everything so."""

    address = "https://v:8200"

    def __init__(self, status: int, body: object) -> None:
        self.answer = VaultAnswer(status, body if isinstance(body, dict) else {})

    def ask(self, *_: object) -> VaultAnswer:
        return self.answer

    def need(self, _: str, path: str, *__: object) -> Any:  # noqa: ANN401 - JSON
        return needed(self.address, path, self.answer)


def asked(status: int, body: object) -> VaultLogins:
    """Return a Vault that answers everything so."""
    probe = VaultLogins(("https://v:8200",), Path("ca"), "t")
    probe.__dict__["door"] = Said(status, body)
    return probe


class Member(Etcd):
    """An etcd that answers so."""

    def __init__(self, body: object) -> None:
        super().__init__(("https://e:2379",), NO_TLS)
        self.body: Any = body if isinstance(body, dict) else {}

    def _ask(self, *_: object) -> dict[str, Any]:
        return dict(self.body)


class Store:
    """An S3 client that answers so."""

    def __init__(self, body: object) -> None:
        self.body = body if isinstance(body, dict) else {}

    def __getattr__(self, _: str) -> Callable[..., Any]:
        return lambda **_: self.body


class Opened(Sops):
    """SOPS files that hold this, decrypted."""

    raw = b""

    def _sops(self, path: Path) -> tuple[int, bytes]:
        return 0, self.raw


def nodes(text: str) -> Talos:
    """Return nodes that print this."""
    ctl = type("Ctl", (), {"ask": lambda *_: text, "config": Path("talosconfig")})()
    return Talos(TalosClients(ctl, None), lambda _: assemble((), None, (NODE,), ""), "v1.13.5")


def every(*reads: Callable[[], object]) -> None:
    """Read in each way; the first error does not keep the others from being tried."""
    wrong: list[AssayError] = []
    for read in reads:
        try:
            read()
        except AssayError as error:
            wrong.append(error)
    if wrong:
        raise wrong[0]


def of_vault(status: int, body: object) -> None:
    probe = asked(status, body)
    every(
        probe.peers, probe.autopilot, probe.audit_devices, probe.auth_methods, probe.mounts, probe.roles,
        probe.policies, probe.tokens, lambda: probe.entry("a", b"k"), lambda: probe.metadata("a"),
        probe.entries, lambda: probe.login("r", "jwt", "me"),
    )  # fmt: skip


def of_health(body: Any) -> None:  # noqa: ANN401 - JSON
    for code in (200, 503, 404):
        every(lambda code=code: vault_facts.health("m", code, body), lambda: vault_facts.seal("m", body))  # type: ignore[misc]


def of_kube(kind: str) -> Parse:
    def read(item: object) -> None:
        kube = listed(item)
        every(
            *(lambda one=one: [one(each) for each in kube.wire.items("/x")] for one in (  # type: ignore[misc]
                kube_facts.pod, kube_facts.node, kube_facts.namespace, kube_rbac.rbac_role,
                lambda each: kube_facts.workload(kind, each), etcd_evidence.created,
                lambda each: etcd_evidence.started_within(each, 0, 1))),
            lambda: kube_secrets.secret_objects(kube, KEYED, {("shop", "app"): {"k": "{{ .k }}"}}),
            lambda: external_secrets.templates(external_secrets.external_secret_specs(kube, "kv")),
            lambda: holders(kube, {("shop", "s")}, ("x",)),
            lambda: inventory(kube, Platform()),
            lambda: schedules.live_schedules(kube.objects("CronJob", version="batch/v1"), Platform()),
            lambda: schedules.live_accounts(kube),
            kube.grants, kube.stored_tokens,
        )  # fmt: skip

    return read


def of_wire(pair: tuple[int, bytes]) -> None:
    kube = cluster(*pair)
    every(
        lambda: kube.wire.items("/x"), lambda: kube.wire.attempt("a", "POST", "/x", {}),
        lambda: kube.whoami("s"), lambda: kube.service_token("a", "b", "c"), lambda: kube.anonymous("s", "/x"),
        kube.version, kube.cluster_uid,
    )  # fmt: skip


def of_helm(release: object) -> object:
    coded = base64.b64encode(base64.b64encode(json.dumps(release).encode())).decode()
    return helm_record.record_texts(listed({**LISTS["Secret"], "data": {"release": coded}}))


def of_etcd(body: object) -> None:
    member = Member(body)
    every(lambda: member.members("e"), lambda: member.status("e"), lambda: member.alarms("e"))


def of_store(body: object) -> None:
    store = S3(S3Access(buckets={"etcd": "b"}), Store(body))
    one = ObjectVersion("b", "k", "1", 1, NOW, latest=True)
    every(
        lambda: store.lock("b"),
        lambda: store.expiries("b"),
        lambda: store.versions("b"),
        lambda: store.hold(one),
    )


def of_talos(text: str) -> None:
    talos = nodes(text)
    reads: list[Callable[[Machine], Any]] = [
        talos.version, talos.services, talos.extensions, talos.nodename, talos.addresses, talos.machineconfig,
        talos.stored, talos.pod_roles, talos.etcd_members, talos.etcd_status, talos.mounts,
        talos.listeners, talos.etcd_alarms, lambda node: list(unexpected_kubelet_mounts(node, talos.kubelet(node), ())),
    ]  # fmt: skip
    every(*(lambda read=read: read(NODE) for read in reads))  # type: ignore[misc]


def of_config(text: str) -> None:
    talos = nodes(json.dumps({"metadata": {"id": "v1alpha1"}, "spec": text}))
    found = talos.machineconfig(NODE)
    every(lambda: talos.pod_roles(NODE), lambda: list(unexpected_files(NODE, found, ())),
          lambda: talos_secrets.machine_secrets("cp-1", found, KEYED, frozenset()),
        lambda: differences(found, [CONFIG]))  # fmt: skip


def of_gitleaks(rows: object) -> object:
    probe = leaks.SecretScan(tree(Path()), Path("gitleaks"))
    return (
        probe._by_gitleaks([leaks.FileVersion("a", "b", b"c", past=False)])
        if isinstance(rows, list)
        else None
    )


STATUSES = st.sampled_from([200, 201, 400, 401, 403, 404, 410, 500, 502, 503])
RAW = blobs(json.dumps({"kind": "PodList", "metadata": {"continue": "", "remainingItemCount": 0}, "items": [
    LISTS["Pod"]]}).encode(), b'{"kind": "Status", "message": "m", "status": {"userInfo": {"groups": ["g"]}}}')  # fmt: skip
DOCUMENTS = objects(TALOS).map(json.dumps)
ANSWERS: dict[str, tuple[st.SearchStrategy[Any], Parse]] = {
    **{f"kube {kind}": (altered(item), of_kube(kind)) for kind, item in LISTS.items()},
    "kube bytes": (st.tuples(STATUSES, RAW), of_wire),
    "kube discovery": (altered(DISCOVERED), lambda body: kube_leaves.object_texts(cluster(200, json.dumps(body).encode()))),
    "helm": (altered(RELEASE), of_helm),
    "vault": (st.tuples(STATUSES, altered(VAULT)), lambda pair: of_vault(*pair)),
    "vault health": (objects(HEALTH), of_health),
    "vault role": (altered(VAULT["data"]), lambda said: vault_role("r", said if isinstance(said, dict) else {})),
    "vault time": (texts("2026-11-24T12:00:00.123456789Z"), vault_facts.moment),
    "etcd": (altered(ETCD), of_etcd),
    "s3": (altered(S3_ANSWERS), of_store),
    "talos": (DOCUMENTS, of_talos),
    "talos text": (texts(json.dumps(TALOS)), of_talos),
    "talos configuration": (objects(CONFIG).map(json.dumps) | texts(json.dumps(CONFIG)), of_config),
    "http": (blobs(b'{"mark": "x"}'), lambda raw: Reply("u", 200, 1, 0.1, body=raw).fields),
    "gitleaks": (objects(GITLEAKS), of_gitleaks),
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no reader open a connection or start a program."""
    monkeypatch.setattr(login, "VaultConnection", lambda *_, **__: Said(200, VAULT))
    monkeypatch.setattr("assay.probes.kube.wire.BUSY_WAIT_S", 0)


@pytest.mark.parametrize("name", ANSWERS)
def test_whatever_is_answered_is_read_or_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fed, parse = ANSWERS[name]

    def read(thing: Any) -> object:  # noqa: ANN401 - anything
        monkeypatch.setattr(leaks, "run_gitleaks", lambda *_: thing)
        return parse(thing)

    judged(fed, read)


def test_whatever_is_decrypted_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "one.sops.yaml").write_text(sealed())
    sops = Opened(SopsAccess(trees=(tmp_path,)), ())

    def read(raw: bytes) -> object:
        sops.raw = raw
        return sops_secrets(sops, KEYED), encrypted_configs(sops, KEYED)

    judged(blobs(SECRET.encode(), base64.b64encode(b"x" * 40)), read)
