"""What a drill may delete: a labelled scratch namespace with its own bindings, its own entries in Vault."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assay.config.profile import Profile
from assay.drills.drivers import ENTRIES, SCRATCH, driver_of
from assay.drills.faults import vault_entries
from assay.drills.faults.scratch import LABEL
from assay.drills.faults.vault_entries import FOLDER
from assay.errors import GuardError
from assay.probes.kube.client import Kube
from assay.probes.kube.wire import ApiAnswer
from assay.probes.vault.client import Vault


TRIAL, BINDINGS = "/api/v1/namespaces/trial", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


class Cluster:
    """A cluster with one namespace and three bindings: what is deleted is gone."""

    def __init__(self, labels: dict[str, str]) -> None:
        self.there: dict[str, dict[str, Any]] = {TRIAL: {"metadata": {"name": "trial", "labels": labels}}}
        self.bindings = {"of-trial": ["trial"], "of-both": ["trial", "shop"], "of-nobody": []}
        self.deleted: list[str] = []
        self.wire = self

    def ask(self, method: str, path: str) -> ApiAnswer:
        if method == "DELETE":
            self.deleted.append(path)
            self.there.pop(path, None)
            self.bindings.pop(path.removeprefix(f"{BINDINGS}/"), None)
            return ApiAnswer(200)
        return ApiAnswer(200, self.there[path]) if path in self.there else ApiAnswer(404)

    def need(self, answer: ApiAnswer, *_: str) -> ApiAnswer:
        return answer

    def objects(self, _kind: str, version: str) -> list[dict[str, Any]]:
        assert version == "rbac.authorization.k8s.io/v1"
        return [
            {"metadata": {"name": name}, "subjects": [{"namespace": space} for space in spaces]}
            for name, spaces in self.bindings.items()
        ]


def profile() -> Profile:
    return Profile(file=Path("s.toml"), name="n", kind="staging")


@pytest.mark.parametrize("labels", [{}, {LABEL: "false"}])
def test_a_namespace_of_the_platform_is_never_deleted(
    labels: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = Cluster(labels)
    monkeypatch.setattr(Kube, "from_profile", lambda *_: cluster)
    with pytest.raises(GuardError, match="Namespace trial is not a place for restores"):
        driver_of(profile(), SCRATCH).inject("trial")
    assert not cluster.deleted


def test_a_scratch_namespace_goes_with_the_bindings_for_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster({LABEL: "true"})
    monkeypatch.setattr(Kube, "from_profile", lambda *_: cluster)
    driver = driver_of(profile(), SCRATCH)
    assert not driver.is_undone("trial")
    driver.ensure_undone("trial")
    assert cluster.deleted == [f"{BINDINGS}/of-trial", TRIAL]
    assert driver.is_undone("trial")
    driver.ensure_undone("trial")


def test_only_the_drills_own_entries_are_removed_from_vault(monkeypatch: pytest.MonkeyPatch) -> None:
    left = ["app/database", f"{FOLDER}1/w0-1", f"{FOLDER}1/w0-2"]
    old = SimpleNamespace(entries=lambda: list(left), mount="kv")
    monkeypatch.setattr(Vault, "from_profile", lambda *_: old)
    gone = SimpleNamespace(need=lambda _, path: left.remove(path.removeprefix("kv/metadata/")))
    monkeypatch.setattr(vault_entries, "drill_connection", lambda _: gone)
    driver = driver_of(profile(), ENTRIES)
    with pytest.raises(GuardError, match="is not where drills write"):
        driver.ensure_undone("app/")
    driver.ensure_undone(FOLDER)
    assert left == ["app/database"]
    assert driver.is_undone(FOLDER)
