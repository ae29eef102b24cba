"""Which stack is judged."""

from __future__ import annotations

import os
from pathlib import Path

from assay.config.loader import load_profile
from assay.config.profile import Profile
from assay.errors import ProfileError


LAB_STATE = "/var/lib/assay-lab"


def find_profile(named: str | None) -> Profile:
    """Return the profile named outright, else by ASSAY_STACK, else the running lab's.

    Raises:
        ProfileError: there is none, or it cannot be used.
    """
    chosen = named or os.environ.get("ASSAY_STACK", "")
    if chosen:
        return load_profile(Path(chosen))
    lab = Path(os.environ.get("ASSAY_LAB_STATE") or LAB_STATE) / "stack.toml"
    if lab.is_file():
        return load_profile(lab)
    raise ProfileError(
        "no stack to judge", "name one with --stack FILE or ASSAY_STACK, or start the lab: make lab-up"
    )
