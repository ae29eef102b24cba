"""A rotation, offline: who can follow it, how it is timed, what a refused login is."""

from __future__ import annotations

import base64
import math
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from assay.config.platform import Exemption, Rotation
from assay.config.platform import Platform as Config
from assay.config.profile import SqlAccess
from assay.drills import rotation
from assay.drills.rotation import RotationDrill
from assay.errors import AssumptionError, ProbeError
from assay.model import Attempt, Override, Tier, Verdict
from assay.origins import external_secrets
from assay.origins.secret_holders import ONCE, PART, VARIABLE, RotationExemption, holders
from assay.probes.net.login import HttpLogin
from assay.probes.postgres import WRONG, Postgres
from tests.unit.support.judging import judged


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
    assert all(one.ref == "Pod shop/p" for one in found)


def test_pods_that_end_are_left_out() -> None:
    spec = {"containers": [{"name": "c", "env": VARIABLES}]}
    job = pod(spec, ownerReferences=[{"kind": "Job"}])
    assert holders(cluster({**pod(spec), "status": {"phase": "Succeeded"}}, job), PLACES) == []
    assert holders(cluster(pod(spec, ownerReferences=owned("x"))), PLACES)


AUTO = {"reloader.stakater.com/auto": "true"}
LISTED = "secret.reloader.stakater.com/reload"
LEFT_OUT = "secrets.exclude.reloader.stakater.com/reload"
RELOADER = "Deployment reloader/reloader"


def owned(uid: str, kind: str = "ReplicaSet") -> list[dict[str, Any]]:
    return [{"kind": kind, "uid": uid, "controller": True}]


def reloads(notes: dict[str, str], ready: int = 1, by: str = RELOADER, owner: str = "rs") -> bool:
    """Return whether a reloader makes up for a variable of a pod of the ReplicaSet of a Deployment."""
    label = {"labels": {"app": "a"}}
    held = pod({"containers": [{"name": "c", "env": VARIABLES}]}, ownerReferences=owned(owner), **label)
    lists = {
        "pods": [held],
        "replicasets": [{"metadata": {"namespace": "shop", "name": "app-1", "uid": "rs",
                                      "ownerReferences": owned("app", "Deployment")}}],
        "deployments": [
            {"metadata": {"namespace": "shop", "name": "app", "uid": "app", "annotations": notes},
             "spec": {"selector": {"matchLabels": {"app": "a"}}}},
            {"metadata": {"namespace": "reloader", "name": "reloader", "uid": "x"},
             "status": {"readyReplicas": ready}},
        ],
    }  # fmt: skip
    wire = SimpleNamespace(items=lambda path: lists.get(path.rpartition("/")[2], []))
    asked: Any = SimpleNamespace(wire=wire)
    (one,) = holders(asked, PLACES, [by])
    return one.fault == ""


@pytest.mark.parametrize(("notes", "follows"), [
    (AUTO, True),
    ({"secret.reloader.stakater.com/auto": "true"}, True),
    ({LISTED: "other, app"}, True),
    ({LISTED: "other"}, False),
    ({**AUTO, LEFT_OUT: "app"}, False),
    ({"reloader.stakater.com/auto": "false"}, False),
    ({"reloader.stakater.com/ignore": "true"}, False),
    ({"reloader.stakater.com/search": "true"}, False),
    ({"configmap.reloader.stakater.com/auto": "true"}, False),
    ({}, False),
])  # fmt: skip
def test_a_reloader_makes_up_for_a_variable_if_it_is_told_to(notes: dict[str, str], follows: bool) -> None:
    assert reloads(notes) is follows


def test_a_reloader_must_run_and_reach_the_pod() -> None:
    assert not reloads(AUTO, ready=0)
    assert not reloads(AUTO, by="Deployment elsewhere/reloader")
    assert not reloads(AUTO, owner="another")


def test_a_pod_without_an_owner_is_restarted_by_nobody() -> None:
    about = {"namespace": "shop", "name": "d", "uid": "d", "annotations": AUTO}
    workload = {"metadata": about, "spec": {"selector": {"matchLabels": {"app": "a"}}},
                "status": {"readyReplicas": 1}}  # fmt: skip
    bare = pod({"containers": [{"name": "c", "env": VARIABLES}]}, labels={"app": "a"})
    (one,) = holders(cluster(bare, workloads=(workload,)), PLACES, ["Deployment shop/d"])
    assert one.fault == VARIABLE


def test_what_is_spared_has_a_reason_and_is_never_the_canary() -> None:
    spared = RotationExemption(
        [Exemption("Secret shop/*", "read at the start"), Exemption("Pod shop/job-*", "ends by itself")],
        "Secret shop/canary",
    )
    assert spared.covers("Secret shop/app")
    assert spared.covers("Secret other/app", "Pod shop/job-1")
    assert not spared.covers("Secret other/app", "Pod shop/api-1")
    assert not spared.covers("Secret shop/canary", "Pod shop/job-1")
    assert spared.used == {"Secret shop/app": "read at the start", "Pod shop/job-1": "ends by itself"}


class Platform:
    """A source, a Secret and a service that follow after some looks; `asleep` names what never does."""

    refusal = WRONG

    def __init__(self, asleep: str = "") -> None:
        self.asleep, self.looks, self.version = asleep, 0, 7
        self.user, self.key = "username", "password"
        self.source = self.secret = self.service = "first"
        self.wire = self

    def check_cluster(self) -> None:
        pass

    def need(self, verb: str, _path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if verb == "post" and body:
            if body["options"]["cas"] != self.version:
                raise ProbeError("HTTP 400: check-and-set parameter did not match the current version")
            self.source = body["data"]["password"]
        entry = {self.user: "canary", "password": self.source}
        return {"data": {"data": entry, "metadata": {"version": self.version}}}

    def get(self, _path: str) -> dict[str, Any]:
        self.looks += 1
        if self.asleep != "operator" and self.looks > 1:
            self.secret = self.source
        return {"data": {self.key: base64.b64encode(self.secret.encode()).decode()}}

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
    monkeypatch.setattr(rotation, "LOOK_PERIOD_S", 0.001)


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
    assert (turned.took <= 0.2) is all(seen)


class Late(Platform):
    """A service that follows at last, and takes its time to say so."""

    def login(self, user: str, password: str) -> Attempt:
        if self.looks > 20:
            self.asleep = ""
            time.sleep(0.3)
        return super().login(user, password)


def test_what_came_late_is_not_in_time() -> None:
    turned = drill(Late("follower")).turn("postgres/canary", "postgres/canary", 0.4)
    assert turned.delivered is not None
    assert (turned.used, turned.dead, turned.took) == (None, None, math.inf)
    assert (turned.new.admitted, turned.old.admitted) == (False, True)


def rotated(platform: Platform, **known: str) -> tuple[Verdict, str]:
    """Judge a rotation that takes 0.2 s at most, tried by `platform` unless `known` is empty."""
    service = platform if known else None
    made = RotationDrill(platform, platform, service, "kv")  # type: ignore[arg-type]
    names = Rotation(canary_path="apps/canary", canary_secret="apps/canary")
    stack = SimpleNamespace(platform=Config(rotation=names), drills=SimpleNamespace(rotation=lambda: made))
    found, said, _ = judged("SEC-26", Tier.DRILL, stack, Override({"rotation": 0.2}))
    return found, said


@pytest.mark.parametrize(("asleep", "by", "verdict", "says"), [
    ("", {"by": "login"}, Verdict.PASS, ""),
    ("", {}, Verdict.NOT_CHECKED, "names no service that takes the canary"),
    ("operator", {}, Verdict.FAIL, "Secret apps/canary: has the old value"),
    ("operator", {"by": "login"}, Verdict.FAIL, "Secret apps/canary: has the old value"),
    ("follower", {"by": "login"}, Verdict.FAIL, "the new value is refused"),
    ("old", {"by": "login"}, Verdict.FAIL, "Login canary: admitted"),
])  # fmt: skip
def test_only_a_login_proves_that_a_rotation_is_whole(
    asleep: str, by: dict[str, str], verdict: Verdict, says: str
) -> None:
    found, said = rotated(Platform(asleep), **by)
    assert (found, says in said) == (verdict, True)


def test_without_a_service_no_name_is_needed_and_the_arrival_alone_is_timed() -> None:
    platform = Platform("follower")
    platform.user = "another"
    turned = RotationDrill(platform, platform, None, "kv").turn("a/b", "a/b", 0.2)  # type: ignore[arg-type]
    assert turned.delivered is not None
    assert (turned.refusal, turned.took, list(turned.times)) == ("", turned.delivered, ["Secret"])


def test_the_key_that_is_changed_is_the_profiles() -> None:
    class Token(Platform):
        def need(self, verb: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
            data = {"password": body["data"]["token"], "kept": body["data"]["kept"]} if body else {}
            given = {**body, "data": data} if body else None
            assert data.get("kept", "kept") == "kept"
            entry = super().need(verb, path, given)["data"]
            return {"data": {**entry, "data": {"token": entry["data"]["password"], "kept": "kept"}}}

    platform = Token()
    platform.key = "token"
    made = RotationDrill(platform, platform, None, "kv", "token")  # type: ignore[arg-type]
    assert made.turn("a/b", "a/b", 0.2).delivered is not None
    assert platform.source != "first"


@pytest.mark.parametrize(("login", "host", "kind"), [
    ("https://registry.example/v2/", "db", HttpLogin), ("", "db", Postgres), ("", "", type(None)),
])  # fmt: skip
def test_where_the_login_is_tried(login: str, host: str, kind: type, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("not shown")
    access = SqlAccess(host, "5432", tmp_path / "password", "shop", "auditor", tmp_path / "password")
    profile: Any = SimpleNamespace(
        platform=Config(rotation=Rotation(canary_login=login)), sql=access,
        api=SimpleNamespace(ca=None), need_text=lambda key: getattr(access, key[4:]),
        need_path=lambda key: getattr(access, key[4:]),
    )  # fmt: skip
    assert isinstance(rotation._service(profile), kind)


def test_a_password_that_was_not_in_use_proves_nothing() -> None:
    platform = Platform("follower")
    platform.service = "another"
    with pytest.raises(AssumptionError, match="not in use before"):
        drill(platform).turn("postgres/canary", "postgres/canary", 0.1)
    assert platform.source == "first"


def test_a_rotation_waits_for_the_one_before() -> None:
    platform = Platform()
    platform.source, platform.asleep = "second", "operator"

    def settled(_path: str) -> dict[str, Any]:
        platform.asleep = ""
        return Platform.get(platform, _path)

    platform.get = settled  # type: ignore[method-assign]
    turned = drill(platform).turn("postgres/canary", "postgres/canary", 5.0)
    assert turned.took <= 5.0
    assert platform.source not in ("first", "second")


def test_what_another_wrote_meanwhile_is_not_overwritten() -> None:
    platform = Platform()

    def login(user: str, password: str) -> Attempt:
        platform.version = 8
        return Attempt(user, password == "first")

    platform.login = login  # type: ignore[method-assign]
    with pytest.raises(ProbeError, match="check-and-set"):
        drill(platform).turn("postgres/canary", "postgres/canary", 0.2)
    assert platform.source == "first"


def test_no_login_is_an_error_with_a_remedy() -> None:
    for field, says in (("user", "lacks a username"), ("key", "has no key password")):
        platform = Platform()
        setattr(platform, field, "another")
        with pytest.raises(ProbeError, match=says) as caught:
            drill(platform).turn("postgres/canary", "postgres/canary", 0.2)
        assert caught.value.remedy
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
    sql = Postgres({"host": "db", "port": "5432", "dbname": "shop", "user": "auditor"})
    if raises:
        with pytest.raises(ProbeError):
            sql.login("canary", "not shown")
    else:
        attempt = sql.login("canary", "not shown")
        assert (attempt.admitted, attempt.reason) == (False, WRONG)


@pytest.mark.parametrize(("interval", "seconds"), [
    ("1m30s", 90.0), ("1h", 3600.0), ("0s", 0.0), ("0", 0.0), ("-1h", 0.0), (None, 3600.0),
])  # fmt: skip
def test_a_negative_interval_is_never(interval: str | None, seconds: float) -> None:
    assert external_secrets._interval({"refreshInterval": interval} if interval else {}) == seconds
