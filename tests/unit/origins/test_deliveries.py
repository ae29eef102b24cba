"""Values of Vault that reach pods without a Secret: whether a rotation arrives, and when. Offline."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from assay.config.platform import Exemption, Platform, Rotation
from assay.model import Record, Tier, Verdict
from assay.origins.deliveries import deliveries
from assay.origins.external_secrets import external_secret_specs
from assay.origins.secret_holders import VARIABLE, holders
from assay.origins.sources import ExternalSecretSpec
from assay.origins.vault_operator import vault_static_secrets
from tests.unit.origins.test_makers import Cluster
from tests.unit.support.judging import judged


AGENT = {"vault.hashicorp.com/agent-inject": "true"}
FAST = {**AGENT, "vault.hashicorp.com/template-static-secret-render-interval": "60s"}
ONCE = {**FAST, "vault.hashicorp.com/agent-pre-populate-only": "true"}
CSI = {"volumes": [{"name": "v", "csi": {
    "driver": "secrets-store.csi.k8s.io", "volumeAttributes": {"secretProviderClass": "web"}}}]}  # fmt: skip
WRAPPED = {"containers": [{"name": "c", "env": [{"name": "DB", "value": "vault:kv/data/shop/web#password"}]}]}


def pod(spec: dict[str, Any] | None = None, **annotations: str) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": "web", "annotations": annotations}, "spec": spec or {}}


def driver(*args: str) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"name": "driver", "args": list(args)}]}}}}


def cluster(*pods: dict[str, Any], sets: tuple[dict[str, Any], ...] = ()) -> Any:  # noqa: ANN401 - a Kube
    def items(path: str) -> list[dict[str, Any]]:
        return list(pods) if path.endswith("/pods") else list(sets) if "daemonsets" in path else []

    return SimpleNamespace(wire=SimpleNamespace(items=items))


ROTATING = (driver("--enable-secret-rotation=true", "--rotation-poll-interval=1m"),)


@pytest.mark.parametrize(("kube", "says"), [
    (cluster(pod(**FAST)), ""), (cluster(pod(**AGENT)), "every 300 s"), (cluster(pod(**ONCE)), "runs once"),
    (cluster(pod(CSI), sets=ROTATING), ""), (cluster(pod(CSI), sets=(driver("--v=2"),)), "no driver"),
    (cluster(pod(CSI), sets=(driver("--enable-secret-rotation"),)), ""),
    (cluster(pod(CSI), sets=(driver("--enable-secret-rotation=false"),)), "no driver"),
    (cluster(pod(CSI)), "no driver"), (cluster(pod(WRAPPED)), VARIABLE),
])  # fmt: skip
def test_whether_a_rotation_reaches_a_pod_that_has_no_secret(kube: Any, says: str) -> None:  # noqa: ANN401
    (found,) = deliveries(kube)
    assert bool(found.late(180)) == bool(says)
    assert says in found.late(180)


def test_other_pods_and_those_of_jobs_are_left_out() -> None:
    job = pod(CSI)
    job["metadata"]["ownerReferences"] = [{"kind": "Job", "uid": "1"}]
    assert deliveries(cluster(pod(), job, pod(**{"vault.hashicorp.com/agent-inject": "false"}))) == []


def sec_26(kube: Any, *specs: ExternalSecretSpec, exempt: str = "") -> tuple[Verdict, str, Record]:  # noqa: ANN401
    rules = (Exemption(exempt, "restarted by hand"),) if exempt else ()
    platform = Platform(rotation=Rotation(exemptions=rules))
    origins = SimpleNamespace(external_secrets=list(specs))
    return judged("SEC-26", Tier.LIVE, SimpleNamespace(kube=kube, platform=platform, origins=origins))


def test_a_platform_with_an_injector_alone_is_judged() -> None:
    assert sec_26(cluster(pod(**FAST)))[0] is Verdict.PASS
    found, said, _ = sec_26(cluster(pod(**ONCE)))
    assert found is Verdict.FAIL
    assert "Pod shop/web: Vault's agent: runs once" in said
    assert sec_26(cluster(pod(**ONCE)), exempt="Pod shop/*")[0] is Verdict.PASS


def test_a_platform_where_nothing_comes_from_a_source_is_no_pass() -> None:
    assert sec_26(cluster(pod()))[0] is Verdict.ERROR


def test_an_immutable_secret_never_takes_a_rotation() -> None:
    spec = {"refreshInterval": "1m", "target": {"immutable": True}, "data": []}
    item = {"metadata": {"namespace": "shop", "name": "app", "uid": "1"}, "spec": spec}
    listed = Cluster(externalsecrets=[item])
    listed.groups["externalsecrets"] = "external-secrets.io"
    (made,) = external_secret_specs(listed, "kv")  # type: ignore[arg-type]
    mounted = {"volumes": [{"name": "v", "secret": {"secretName": "app"}}],
               "containers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}  # fmt: skip
    found, said, _ = sec_26(cluster(pod(mounted)), made)
    assert found is Verdict.FAIL
    assert "immutable" in said


def test_what_the_vault_secrets_operator_restarts_follows() -> None:
    item = {"metadata": {"namespace": "shop", "name": "app", "uid": "1"}, "spec": {
        "type": "kv-v2", "mount": "kv", "path": "shop", "refreshAfter": "30s", "destination": {"name": "app"},
        "rolloutRestartTargets": [{"kind": "Deployment", "name": "web"}]}}  # fmt: skip
    (made,) = vault_static_secrets(Cluster(vaultstaticsecrets=[item]))  # type: ignore[arg-type]
    takes = {"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "app"}}]}]}
    owned = pod(takes)
    owned["metadata"]["ownerReferences"] = [{"kind": "Deployment", "uid": "7", "controller": True}]
    web = {"metadata": {"namespace": "shop", "name": "web", "uid": "7"}}

    def items(path: str) -> list[dict[str, Any]]:
        return [owned] if path.endswith("/pods") else [web] if "deployments" in path else []

    kube: Any = SimpleNamespace(wire=SimpleNamespace(items=items))
    place = (made.space, made.target)
    assert [one.fault for one in holders(kube, {place})] == [VARIABLE]
    assert [one.fault for one in holders(kube, {place}, (), {place: made.restarts})] == [""]
