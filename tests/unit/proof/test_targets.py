"""The objects that violations change, found by the profile and by what a cluster shows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.config.platform import Annotations, Exemption, Platform, Pools, Rotation, Service
from assay.config.profile import Profile, TalosAccess, ViolationTargets
from assay.config.sops_access import SopsAccess
from assay.errors import GuardError, ProbeError
from assay.probes.kube.client import Kube
from assay.proof.targets import Target, Targets, made_by


def thing(name: str, annotations: dict[str, str] | None = None, spec: object = None) -> dict[str, Any]:
    space, _, word = name.partition("/")
    return {"metadata": {"namespace": space, "name": word, "annotations": annotations}, "spec": spec}


def synced(name: str, target: str) -> dict[str, Any]:
    return thing(name, spec={"target": {"name": target}})


CLUSTER = {
    "StatefulSet": [thing("data/cache"), thing("keys/safe"), thing("keys/other")],
    "CronJob": [
        thing("copies/none"),
        thing("copies/state", {"x.example/backs-up": "etcd"}),
    ],
    "ServiceAccount": [thing("elsewhere/a"), thing("copies/copier")],
    "ExternalSecret": [synced("b/login", "login"), synced("a/own", "rotated"), synced("c/x", "x")],
}
NODES = [SimpleNamespace(name=name, labels={"pool": pool}) for name, pool in (("w1", "app"), ("w2", "db"))]
PODS = [SimpleNamespace(node=node) for node in ("w1", "w2", "w1", "cp")]
PLATFORM = Platform(
    services=(Service("vault", owns=("StatefulSet keys/safe",)),),
    annotations=Annotations(backup_of="x.example/backs-up"),
    pools=Pools(label="pool"),
    rotation=Rotation(canary_secret="b/login", exemptions=(Exemption("Secret a/*", "restarted by hand"),)),
)


@pytest.fixture
def profile(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Profile:
    cluster = SimpleNamespace(
        objects=lambda kind, version: CLUSTER[kind], nodes=lambda: NODES, pods=lambda: PODS
    )
    monkeypatch.setattr(Kube, "from_profile", lambda _: cluster)
    return Profile(
        file=tmp_path / "s.toml",
        name="x",
        kind="lab",
        platform=PLATFORM,
        talos=TalosAccess(workers={"w1": "", "w2": ""}),
        violations=ViolationTargets(api="Deployment shop/api"),
    )


def test_a_deployment_is_as_the_profile_names_it(profile: Profile) -> None:
    target = Targets(profile).declared("api")
    assert target.key == ("apps/v1", "Deployment", "shop", "api")
    assert target.ref == "Deployment shop/api"


def test_a_deployment_that_nobody_names_is_an_error_that_names_the_key(profile: Profile) -> None:
    with pytest.raises(ProbeError, match="set pooler under"):
        Targets(profile).declared("pooler")


@pytest.mark.parametrize("written", ["shop/api", "Deployment api", "StatefulSet shop/api"])
def test_another_way_of_writing_is_refused(profile: Profile, written: str) -> None:
    odd = replace(profile, violations=ViolationTargets(api=written))
    with pytest.raises(GuardError, match="write it as Deployment"):
        Targets(odd).declared("api")


def test_a_service_s_stateful_set_is_what_it_owns(profile: Profile) -> None:
    assert Targets(profile).stateful_set("vault").ref == "StatefulSet keys/safe"
    with pytest.raises(GuardError, match="no StatefulSet fits"):
        Targets(profile).stateful_set("postgres")


def test_a_backup_job_says_so_itself_and_its_account_is_beside_it(profile: Profile) -> None:
    job = Targets(profile).backup_job("etcd")
    assert job.key == ("batch/v1", "CronJob", "copies", "state")
    assert Targets(profile).talos_account(job).name == "copier"


def test_a_worker_is_found_by_its_pool_or_by_what_it_runs(profile: Profile) -> None:
    assert Targets(profile).worker("db") == "w2"
    assert Targets(profile).idle_worker() == "w2"
    with pytest.raises(GuardError, match="no worker of pool ai"):
        Targets(profile).worker("ai")


def test_external_secrets_are_known_by_the_secret_that_they_make(profile: Profile) -> None:
    assert made_by(Targets(profile).canary()).ref == "Secret b/login"
    assert made_by(Targets(profile).external_secret()).ref == "Secret b/login"  # a/own is exempt
    assert made_by(thing("a/b", spec={})) == Target("v1", "Secret", "a", "b")


def test_an_encrypted_file_declares_the_secret(profile: Profile, tmp_path: Path) -> None:
    text = "kind: {0}\nmetadata:\n  namespace: a\n  name: b\ndata:\n  x: ENC[...]\n"
    (tmp_path / "1.sops.yaml").write_text(text.format("ConfigMap"))
    with pytest.raises(GuardError, match="no encrypted file declares a Secret"):
        Targets(replace(profile, sops=SopsAccess(trees=(tmp_path,)))).encrypted_secret()
    (tmp_path / "2.sops.yaml").write_text(text.format("Secret"))
    target = Targets(replace(profile, sops=SopsAccess(trees=(tmp_path,)))).encrypted_secret()
    assert target.ref == "Secret a/b"
