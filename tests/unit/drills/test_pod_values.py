"""What pods hold of a rotated Secret: where they take it, what is seen there, and what that comes to."""

from __future__ import annotations

import base64
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.config.platform import Platform as Config
from assay.config.platform import Rotation
from assay.drills import rotation
from assay.drills.pod_values import PodReader, PodValue, values_in
from assay.drills.rotation import RotationDrill
from assay.model import Override, Tier, Verdict
from tests.unit.support.judging import judged


def pod(spec: dict[str, Any], **meta: Any) -> dict[str, Any]:  # noqa: ANN401 - a manifest
    return {"metadata": {"namespace": "shop", "name": "p", **meta}, "spec": spec}


class Source:
    """A source of one key, the cluster that has it in a Secret at once, and a pod that takes it."""

    def __init__(self) -> None:
        self.value, self.wire = "first", self

    def check_cluster(self) -> None:
        pass

    def need(self, _verb: str, _path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        self.value = body["data"]["password"] if body else self.value
        return {"data": {"data": {"password": self.value}, "metadata": {"version": 1}}}

    def get(self, _path: str) -> dict[str, Any]:
        return {"data": {"password": base64.b64encode(self.value.encode()).decode()}}

    def items(self, _path: str) -> list[dict[str, Any]]:
        return [{**pod(TAKES), **RUNS}]


KEY = {"name": "app", "key": "password"}
TAKES = {
    "containers": [
        {"name": "app", "env": [{"name": "A", "valueFrom": {"secretKeyRef": KEY}}],
         "envFrom": [{"prefix": "P_", "secretRef": {"name": "app"}}],
         "volumeMounts": [{"name": "v", "mountPath": "/run/v/"},
                          {"name": "v", "mountPath": "/etc/one", "subPath": "password"}]},
        {"name": "other", "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in "wx"]},
    ],
    "volumes": [
        {"name": "v", "secret": {"secretName": "app"}},
        {"name": "w", "projected": {"sources": [
            {"secret": {"name": "app", "items": [{"key": "password", "path": "p/w"}]}}]}},
        {"name": "x", "secret": {"secretName": "app", "items": [{"key": "user", "path": "u"}]}},
    ],
}  # fmt: skip
RUNS = {"status": {"phase": "Running"}}


def test_every_place_where_a_pod_takes_a_key_is_found() -> None:
    found = values_in([{**pod(TAKES), **RUNS}], "shop/app", "password")
    assert [(one.container, " ".join(one.words)) for one in found] == [
        ("app", "printenv A"), ("app", "printenv P_password"), ("app", "cat /run/v/password"),
        ("app", "cat /etc/one"), ("other", "cat /w/p/w"),
    ]  # fmt: skip
    assert values_in([{**pod(TAKES), **RUNS}], "shop/other", "password") == []
    assert values_in([{**pod(TAKES), **RUNS}], "elsewhere/app", "password") == []
    going = pod(TAKES, deletionTimestamp="2026-11-28T21:00:00Z")
    assert values_in([{**going, **RUNS}, pod(TAKES)], "shop/app", "password") == []


def test_a_container_is_looked_into_or_not(tmp_path: Path) -> None:
    place = values_in([{**pod(TAKES), **RUNS}], "shop/app", "password")[0]
    for text, value in (("echo held", "held"), ("exit 1", None)):
        tool = tmp_path / f"kubectl-{text.split()[0]}"
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o700)
        assert PodReader(tool, tmp_path).value(place) == value
    assert PodReader(tmp_path / "gone", tmp_path).value(place) is None


@pytest.mark.parametrize(("held", "verdict", "says"), [
    ("new", Verdict.NOT_CHECKED, "the end of the old value"),
    ("old", Verdict.FAIL, "Pod shop/p: app: printenv A: the old value after"),
    (None, Verdict.ERROR, "Pod shop/p: its container cannot be looked into"),
    ("late", Verdict.NOT_CHECKED, "the end of the old value"),
])  # fmt: skip
def test_without_a_service_the_pods_say_whether_it_arrived(
    held: str | None, verdict: Verdict, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, looks = Source(), []

    def value(_: PodValue) -> str | None:
        looks.append(1)
        new = held == "new" or (held == "late" and len(looks) > 10)
        return source.value if new else None if held is None else "first"

    inside: Any = SimpleNamespace(value=value)
    monkeypatch.setattr(rotation, "LOOK_PERIOD_S", 0.001)
    made = RotationDrill(source, source, None, "kv", inside=inside)  # type: ignore[arg-type]
    names = Rotation(canary_path="apps/canary", canary_secret="shop/app")
    stack = SimpleNamespace(platform=Config(rotation=names), drills=SimpleNamespace(rotation=lambda: made))
    found, said, _ = judged("SEC-26", Tier.DRILL, stack, Override({"rotation": 0.5}))
    assert (found, says in said) == (verdict, True)
