"""How files encrypted with SOPS are opened, and who may open them."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class SopsEnvironment:
    """Files of one environment, by globs over their names in messages, and who may decrypt them."""

    paths: tuple[str, ...]
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SopsAccess:
    """SOPS: the program, an age identity that may decrypt, the rules in force, folders of encrypted files.

    Attributes:
        binary: the program.
        age_key: files with age identities that may decrypt.
        config: the rules in force.
        trees: folders of encrypted files, beside those of the manifests.
        recipients: public keys of those who may decrypt every file that no environment is for.
        environments: who may decrypt the files of each environment.
    """

    binary: Path | None = None
    age_key: tuple[Path, ...] = ()
    config: Path | None = None
    trees: tuple[Path, ...] = ()
    recipients: tuple[str, ...] = ()
    environments: tuple[SopsEnvironment, ...] = ()

    def recipients_of(self, name: str) -> frozenset[str]:
        """Return who may decrypt a file: those of the first environment that it fits, else the usual ones."""
        for one in self.environments:
            if any(fnmatch.fnmatchcase(name, glob) for glob in one.paths):
                return frozenset(one.recipients)
        return frozenset(self.recipients)

    @property
    def every_recipients(self) -> list[frozenset[str]]:
        """Return each set of recipients that a file may have."""
        sets = [frozenset(self.recipients), *(frozenset(one.recipients) for one in self.environments)]
        return [one for one in sets if one]
