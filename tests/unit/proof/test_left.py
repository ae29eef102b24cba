"""What a killed proof left: noted on disk while it stands, said and swept by the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.config.profile import Profile, S3Access
from assay.errors import GuardError
from assay.proof.left import LeftPlant, left_plant, note_of, noted, sweep_left


LEFT = LeftPlant("r1", "SEC-27", "undeclared_token")


class FakePlant:
    """Counts what is asked of a plant; `swept` is what the cluster has of earlier runs."""

    def __init__(self, profile: Profile, *swept: str, breaks: bool = False) -> None:
        """Have nothing done yet."""
        self.profile, self.swept, self.breaks, self.made = profile, swept, breaks, list[str]()

    def __getattr__(self, name: str) -> object:
        """Note the writer that is made."""
        self.made.append(name)
        return self

    def sweep(self) -> list[str]:
        """Return what was swept."""
        if self.breaks:
            raise GuardError("Pod a/b is still there", "look at it")
        return list(self.swept)


@pytest.fixture
def profile(tmp_path: Path) -> Profile:
    return Profile(tmp_path / "s.toml", "x", "lab", s3=S3Access(operator_key=tmp_path / "key.json"))


def test_a_note_stands_while_the_violation_does(profile: Profile) -> None:
    with noted(profile, LEFT):
        assert left_plant(profile) == LEFT
    assert left_plant(profile) is None


def test_a_violation_that_could_not_be_undone_is_left(profile: Profile) -> None:
    with pytest.raises(GuardError), noted(profile, LEFT):
        raise GuardError("not undone", "look")
    assert left_plant(profile) == LEFT


@pytest.mark.parametrize("text", ["", '{"run": "r', "[]", "{}"])
def test_a_note_that_was_cut_off_counts(profile: Profile, text: str) -> None:
    note_of(profile).write_text(text)
    assert left_plant(profile) is not None


def test_what_was_left_is_swept_in_every_system_and_said(profile: Profile, tmp_path: Path) -> None:
    note_of(profile).write_text('{"run": "r1", "control": "SEC-27", "violation": "undeclared_token"}')
    (tmp_path / "planted-talos").mkdir()
    (tmp_path / "planted-talos" / "cp-1.yaml").write_text("way back")
    plant = FakePlant(profile, "Pod assay-planted/leaky")
    said = sweep_left(plant)  # type: ignore[arg-type]
    assert said[0] == "SEC-27 undeclared_token, left by run r1"
    assert said[-1] == "Pod assay-planted/leaky"
    assert plant.made == ["talos_api", "s3"]
    assert left_plant(profile) is None


def test_without_a_note_only_the_cluster_is_looked_at(profile: Profile) -> None:
    plant = FakePlant(profile)
    assert sweep_left(plant) == []  # type: ignore[arg-type]
    assert plant.made == []


def test_what_cannot_be_swept_stays_noted(profile: Profile) -> None:
    note_of(profile).write_text("{}")
    with pytest.raises(GuardError):
        sweep_left(FakePlant(profile, breaks=True))  # type: ignore[arg-type]
    assert left_plant(profile) is not None
