"""What a command over catalogue and profile begins with."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from assay.catalogue import Catalogue, check_overrides, load_catalogue
from assay.config.profile import Profile
from assay.errors import AssayError
from assay.run.gate import UNUSABLE
from assay.run.resolve import find_profile


def load_or_exit(stack: str | None) -> tuple[Catalogue, Profile]:
    """Return the catalogue of the working folder and the profile that `stack` names, which fits it.

    Where one of them cannot be used, a line says why and the process exits with 4.
    """
    try:
        catalogue, profile = load_catalogue(Path.cwd()), find_profile(stack)
        check_overrides(catalogue, profile.overrides)
    except AssayError as problem:
        click.echo(f"ERROR: {problem}", err=True)
        sys.exit(UNUSABLE)
    return catalogue, profile
