"""A rotation, offline: who can follow it, how it is timed, what a refused login is."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from assay.drills import rotation
from assay.drills.rotation import RotationDrill
from assay.errors import AssumptionError, ProbeError
from assay.model import Attempt
from assay.probes.secret_holders import ONCE, PART, VARIABLE, holders
from assay.probes.sql import WRONG, Sql


PLACES = {("shop", "app")}
VARIABLES = [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "app", "key": "a"}}}]
VOLUME = [{"name": "v", "secret": {"secretName": "app"}}]
PROJECTED = [{"name": "v", "projected": {"sources": [{"secret": {"name": "app"}}, {"configMap": {}}]}}]
MOUNT = [{"name": "v", "mountPath": "/v"}]


def pod(spec: dict[str, Any], **meta: Any) -> dict[str, Any]:  # noqa: ANN401 - a manifest
    return {"metadata": {"namespace": "shop", "name": "p", **meta}, "spec": spec}


def cluster(*pods: dict[str, Any], workloads: tuple[dict[str, Any], ...] = ()) -> Any:  # noqa: ANN401 - a Kube
    def items(path: str) -> list[dict[str, Any]]:
        return list(pods) if path.endswith("/pods") else list(workloads) if "deployments" in path else []

    return SimpleNamespace(wire=SimpleNamespace(items=items))


@pytest.mark.parametrize(("spec", "faults"), [
    ({"containers": [{"name": "c", "env": VARIABLES}]}, [VARIABLE]),
    ({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "app"}}]}]}, [VARIABLE]),
    ({"volumes": VOLUME, "containers": [{"name": "c", "volumeMounts": MOUNT}]}, [""]),
    ({"volumes": PROJECTED, "containers": [{"name": "c", "volumeMounts": MOUNT}]}, [""]),
    ({"volumes": VOLUME, "containers": [
        {"name": "c", "volumeMounts": [{**MOUNT[0], "subPath": "a"}]}]}, [PART]),
    ({"volumes": VOLUME, "containers": [
        {"name": "c", "volumeMounts": [{**MOUNT[0], "subPathExpr": "a"}, MOUNT[0]]}]}, [PART]),
    ({"volumes": VOLUME, "containers": [{"name": "c", "volumeMounts": MOUNT, "env": VARIABLES}]}, [VARIABLE]),
    ({"volumes": VOLUME, "initContainers": [{"name": "i", "volumeMounts": MOUNT}], "containers": []}, [ONCE]),
    ({"volumes": VOLUME, "containers": [],
      "initContainers": [{"name": "i", "volumeMounts": MOUNT, "restartPolicy": "Always"}]}, [""]),
    ({"volumes": VOLUME, "containers": [{"name": "c"}]}, []),
    ({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "other"}}]}]}, []),
])  # fmt: skip
def test_who_holds_a_secret_and_whether_it_follows(spec: dict[str, Any], faults: list[str]) -> None:
    found = holders(cluster(pod(spec)), PLACES)
    assert [one.fault for one in found] == faults
    assert all(one.named == "Pod shop/p" for one in found)


def test_pods_that_end_are_left_out() -> None:
    spec = {"containers": [{"name": "c", "env": VARIABLES}]}
    job = pod(spec, ownerReferences=[{"kind": "Job"}])
    assert holders(cluster({**pod(spec), "status": {"phase": "Succeeded"}}, job), PLACES) == []
    assert holders(cluster(pod(spec, ownerReferences=[{"kind": "ReplicaSet"}])), PLACES)


def test_a_reloader_makes_up_for_a_variable() -> None:
    spec = {"containers": [{"name": "c", "env": VARIABLES}]}
    about = {"namespace": "shop", "annotations": {"reloader.stakater.com/auto": "true"}}
    watched = {"metadata": about, "spec": {"selector": {"matchLabels": {"app": "a"}}}}
    for labels, fault in (({"app": "a"}, ""), ({"app": "b"}, VARIABLE)):
        asked = cluster(pod(spec, labels=labels), workloads=(watched,))
        assert [one.fault for one in holders(asked, PLACES, ["reloader."])] == [fault]


class Platform:
    """A source, a Secret and a service that follow after some looks; `asleep` names what never does."""

    def __init__(self, asleep: str = "") -> None:
        self.asleep, self.looks = asleep, 0
        self.source = self.secret = self.service = "first"
        self.wire = self

    def check_cluster(self) -> None:
        pass

    @contextmanager
    def root(self) -> Iterator[Platform]:
        yield self

    def need(self, verb: str, _path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if verb == "post" and body:
            self.source = body["data"]["password"]
        return {"data": {"data": {"username": "canary", "password": self.source}}}

    def get(self, _path: str) -> dict[str, Any]:
        self.looks += 1
        if self.asleep != "operator" and self.looks > 1:
            self.secret = self.source
        return {"data": {"password": base64.b64encode(self.secret.encode()).decode()}}

    def login(self, user: str, password: str) -> Attempt:
        self.looks += 1
        if self.asleep != "follower" and self.looks > 4:
            self.service = self.secret
        right = password == self.service or (self.asleep == "old" and password == "first")
        return Attempt(f"Login {user}", right, "" if right else WRONG)


def drill(platform: Platform) -> RotationDrill:
    return RotationDrill(platform, platform, platform, "kv")  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "EVERY", 0.001)


@pytest.mark.parametrize(("asleep", "seen"), [
    ("", (True, True, True)),
    ("operator", (False, False, False)),
    ("follower", (True, False, False)),
    ("old", (True, True, False)),
])  # fmt: skip
def test_a_rotation_is_timed_part_by_part(asleep: str, seen: tuple[bool, ...]) -> None:
    turned = drill(Platform(asleep)).turn("postgres/canary", "postgres/canary", 0.2)
    assert tuple(one is not None for one in (turned.delivered, turned.used, turned.dead)) == seen
    assert (turned.new.admitted, not turned.old.admitted) == seen[1:]
    assert ("not in time" in turned.times.values()) != all(seen)


def test_a_password_that_was_not_in_use_proves_nothing() -> None:
    platform = Platform()
    platform.service = "another"
    with pytest.raises(AssumptionError, match="not in use before"):
        drill(platform).turn("postgres/canary", "postgres/canary", 0.1)
    assert platform.source == "first"


@pytest.mark.parametrize(("words", "raises"), [
    ('connection failed: FATAL:  password authentication failed for user "canary"', False),
    ("connection failed: timeout expired", True),
    ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "canary"', True),
])  # fmt: skip
def test_only_a_refused_password_is_a_refusal(
    monkeypatch: pytest.MonkeyPatch, words: str, raises: bool
) -> None:
    def connect(_: str) -> None:
        raise psycopg.OperationalError(words)

    monkeypatch.setattr(psycopg, "connect", connect)
    sql = Sql({"host": "db", "port": "5432", "dbname": "shop", "user": "auditor"})
    if raises:
        with pytest.raises(ProbeError):
            sql.login("canary", "not shown")
    else:
        attempt = sql.login("canary", "not shown")
        assert (attempt.admitted, attempt.reason) == (False, WRONG)
