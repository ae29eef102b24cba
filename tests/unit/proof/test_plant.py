"""The plant: only in labs, copies of files, and patches that know their way back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.paths import Paths
from assay.config.profile import Profile
from assay.errors import GuardError, ProbeError
from assay.proof.plant import Plant, inverse
from assay.stack import ReadStack


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    for name in ("infra", "repository"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "main.tf").write_text("a = 1\nb = 1\n")
    (tmp_path / "runbook.md").write_text("talosctl health\n")
    (tmp_path / "plan.json").write_text("{}")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", str(tmp_path / "repository"), *words], check=True)
    paths = Paths(
        infra=(tmp_path / "infra",),
        runbook=tmp_path / "runbook.md",
        repositories=(tmp_path / "repository",),
        plan=(tmp_path / "plan.json",),
    )
    return Profile(file=tmp_path / "s.toml", name="x", kind="lab", paths=paths)


def test_there_is_no_plant_outside_a_lab(tmp_path: Path) -> None:
    with pytest.raises(GuardError, match="nothing is planted in a staging stack"):
        Plant(Profile(file=tmp_path, name="x", kind="staging"))


def test_an_edit_is_seen_by_the_stack_while_open_only(profile: Profile) -> None:
    plant = Plant(profile)
    with plant.edited("infra", "main.tf", "= 1", "= 2") as path:
        assert path.read_text() == "a = 2\nb = 1\n"
        assert (
            ReadStack(profile, plant.paths).paths.infra[0].path / "main.tf"
        ).read_text() == "a = 2\nb = 1\n"
        assert (ReadStack(profile).paths.infra[0].path / "main.tf").read_text() == "a = 1\nb = 1\n"
    assert plant.paths == profile.paths


def test_two_edits_may_be_open(profile: Profile) -> None:
    plant = Plant(profile)
    with plant.added("infra", "x/new.tf", "c = 3"), plant.edited("infra", "main.tf", "b = 1", "b = 2"):
        infra = ReadStack(profile, plant.paths).paths.infra[0].path
        assert (infra / "x/new.tf").read_text() == "c = 3"
        assert "b = 2" in (infra / "main.tf").read_text()


def test_single_files_and_lists_are_copied_too(profile: Profile) -> None:
    plant = Plant(profile)
    with plant.edited("runbook", "runbook.md", "health", "etcd health"):
        assert "etcd" in ReadStack(profile, plant.paths).paths.runbook.read_text()
    with plant.edited("plan", "plan.json", "{}", "[]"):
        assert ReadStack(profile, plant.paths).paths.plan[0].read_text() == "[]"


def test_a_file_added_to_a_list_is_one_of_it(profile: Profile) -> None:
    plant = Plant(profile)
    with plant.added("plan", "more.json", "[]"), plant.added("state", "a.tfstate", "{}"):
        paths = ReadStack(profile, plant.paths).paths
        assert [path.name for path in paths.plan] == ["plan.json", "more.json"]
        assert [path.read_text() for path in paths.state] == ["{}"]
    assert plant.paths == profile.paths


def test_what_is_not_there_plants_nothing(profile: Profile) -> None:
    plant = Plant(profile)
    with pytest.raises(GuardError, match="nothing planted"), plant.edited("infra", "main.tf", "zzz", "y"):
        pass
    with pytest.raises(ProbeError, match="does not say where talos is"), plant.added("talos", "x", "y"):
        pass


@pytest.mark.parametrize("removed", [False, True])
def test_a_commit_lies_in_the_copy_only(profile: Profile, removed: bool) -> None:
    plant = Plant(profile)
    with plant.committed("secret.yaml", "key", then_removed=removed) as path:
        log = subprocess.run(
            ["git", "-C", str(path.parent), "log", "--name-only"], capture_output=True, text=True, check=True
        )
        assert "secret.yaml" in log.stdout
        assert path.exists() is not removed
    assert not (profile.paths.repositories[0] / "secret.yaml").exists()


def merged(under: dict[str, object], patch: dict[str, object]) -> dict[str, object]:
    """Return what RFC 7386 says a merge patch does."""
    both = dict(under)
    for key, value in patch.items():
        if value is None:
            both.pop(key, None)
        elif isinstance(value, dict):
            before = both.get(key)
            both[key] = merged(before if isinstance(before, dict) else {}, value)
        else:
            both[key] = value
    return both


TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), TREES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_the_inverse_of_a_patch_undoes_it(found: dict[str, object], patch: dict[str, object]) -> None:
    assert merged(merged(found, patch), inverse(found, patch)) == found
