"""Only a cluster that carries a lab's mark is planted in and drilled."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay.config.profile import Profile
from assay.drills.engine.engine import armed
from assay.drills.engine.journal import path_of
from assay.drills.specs import CONTROL_PLANES
from assay.errors import GuardError, ProbeError
from assay.probes.kube.client import Kube
from assay.probes.kube.wire import ApiAnswer
from assay.proof.plant import Plant
from assay.writers import lab
from assay.writers.lab import LAB_MARK, is_marked, require_lab


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab, "_marked", set())


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Return what makes the cluster answer with a status; it returns the list of what it is asked."""

    def answers(status: int) -> list[str]:
        asked: list[str] = []

        def ask(_method: str, path: str) -> ApiAnswer:
            asked.append(path)
            return ApiAnswer(status, {})

        def need(answer: ApiAnswer, *_: str) -> ApiAnswer:
            if answer.status != 200:
                raise ProbeError(f"HTTP {answer.status}", "ask for the right")
            return answer

        kube = SimpleNamespace(check_cluster=lambda: None, wire=SimpleNamespace(ask=ask, need=need))
        monkeypatch.setattr(Kube, "from_profile", lambda _: kube)
        return asked

    return answers


def profile(tmp_path: Path, kind: str = "lab", uid: str = "u") -> Profile:
    return Profile(file=tmp_path / "stack.toml", name="mine", kind=kind, cluster_uid=uid)


def test_the_mark_is_looked_for_once(tmp_path: Path, cluster: Callable[[int], list[str]]) -> None:
    asked = cluster(200)
    require_lab(profile(tmp_path))
    require_lab(profile(tmp_path))
    assert asked == [LAB_MARK]
    require_lab(profile(tmp_path, uid="another"))
    assert len(asked) == 2


def test_a_lab_without_the_mark_is_refused(tmp_path: Path, cluster: Callable[[int], list[str]]) -> None:
    cluster(404)
    assert not is_marked(profile(tmp_path))
    with pytest.raises(GuardError, match="does not carry a lab's mark - correct kind"):
        require_lab(profile(tmp_path))


def test_nothing_is_planted_or_drilled_without_the_mark(
    tmp_path: Path, cluster: Callable[[int], list[str]]
) -> None:
    cluster(404)
    plant = Plant(profile(tmp_path))
    for handle in ("kube", "talos_api", "vault", "s3"):
        with pytest.raises(GuardError, match="lab's mark"):
            getattr(plant, handle)
    with pytest.raises(GuardError, match="lab's mark"), armed(profile(tmp_path), CONTROL_PLANES):
        pytest.fail("the drill must not begin")
    assert not path_of(profile(tmp_path)).exists()


@pytest.mark.parametrize(("kind", "uid", "says"), [
    ("production", "u", "mine is a production stack, not a lab"), ("lab", "", "does not say which cluster"),
])  # fmt: skip
def test_a_stack_that_is_not_said_to_be_a_lab_is_not_asked(
    tmp_path: Path, cluster: Callable[[int], list[str]], kind: str, uid: str, says: str
) -> None:
    asked = cluster(200)
    with pytest.raises(GuardError, match=says):
        require_lab(profile(tmp_path, kind, uid))
    assert asked == []


@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_a_cluster_that_cannot_be_asked_is_no_lab(
    tmp_path: Path, cluster: Callable[[int], list[str]], status: int
) -> None:
    cluster(status)
    with pytest.raises(ProbeError):
        require_lab(profile(tmp_path))
    cluster(404)
    with pytest.raises(GuardError):
        require_lab(profile(tmp_path))
