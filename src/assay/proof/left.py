"""What a proof plants is noted on disk while it stands: after a killed one it is said, and swept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.config.profile import Profile
from assay.proof.plant import Plant


NOTE = "planted.json"
TALOS = "planted-talos"  # where the writer of Talos keeps its ways back


@dataclass(frozen=True, slots=True)
class LeftPlant:
    """A violation that a run planted and did not undo: it was killed, or undoing failed."""

    run: str
    control: str
    violation: str

    def __str__(self) -> str:
        """Return it as a sentence has it."""
        return f"{self.control} {self.violation}, left by run {self.run}"


def note_of(profile: Profile) -> Path:
    """Return the file beside the profile that says what is planted now."""
    return profile.file.parent / NOTE


@contextmanager
def noted(profile: Profile, left: LeftPlant) -> Iterator[None]:
    """Keep a note of `left` on disk, synced, until the block ended well."""
    path = note_of(profile)
    with path.open("w", encoding="utf-8") as file:
        json.dump(asdict(left), file)
        file.flush()
        os.fsync(file.fileno())
    yield
    path.unlink(missing_ok=True)


def left_plant(profile: Profile) -> LeftPlant | None:
    """Return what is planted now or was left; None where nothing is.

    A note that was cut off while it was written counts: nothing of it can be told but that it is there.
    """
    try:
        known = json.loads(note_of(profile).read_text(encoding="utf-8"))
        return LeftPlant(str(known["run"]), str(known["control"]), str(known["violation"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return LeftPlant("unknown", "unknown", "violation")


def sweep_left(plant: Plant) -> list[str]:
    """Undo what earlier runs planted and left, in every system that has a way back; return what it was.

    Only the run that holds the lock of the stack may call it.

    Raises:
        GuardError: something could not be put back; the note of it stays.
        ProbeError: a system cannot be asked.
    """
    profile = plant.profile
    left, swept = left_plant(profile), list[str]()
    if left is not None:
        swept.append(str(left))
        if any((profile.file.parent / TALOS).glob("*")):
            _ = plant.talos_api  # making a writer puts back what the last one left
            swept.append("machine configurations and credentials of Talos")
        if profile.s3.operator_key is not None:
            _ = plant.s3
    swept += plant.sweep()
    note_of(profile).unlink(missing_ok=True)
    return swept
