"""What a restore by the runbook is given: the sandbox, the programs, values for the placeholders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import yaml

from assay.config.profile import Profile
from assay.config.trees import Trees
from assay.drills.restore.procedure import Procedure, Wait
from assay.drills.restore.sandbox import Sandbox, open_sandbox
from assay.errors import ProbeError
from assay.probes.runbook.shell import Command


SHRED = Path("/usr/bin/shred")
STORE = "RCLONE_CONFIG_STORE"
STORAGE_CA = "object-storage-ca.crt"
KUSTOMIZATION = "kustomization.yaml"
Values = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RestoreInputs:
    """What restores `service` in the stack of `profile` with the programs `tools`."""

    profile: Profile
    runbook: Path
    service: str
    tools: tuple[str, ...]

    @property
    def binaries(self) -> dict[str, Path]:
        """Return the tools by name.

        Raises:
            ProbeError: the profile lacks one.
        """
        return {name: self.profile.need_path(f"tools.{name}") for name in self.tools}

    @property
    def programs(self) -> dict[str, Path]:
        """Return the programs of the sandbox by their word in the runbook.

        Raises:
            ProbeError: the profile lacks one.
        """
        return {**self.binaries, "shred": SHRED}

    def open_sandbox(self, *except_for: Path) -> AbstractContextManager[Sandbox]:
        """Open the sandbox; while it is open, this thread reads no other file of the stack's state."""
        p = self.profile
        return open_sandbox(
            p.need_path("s3.reader_key"), p.need_path("escrow.folder"), Trees(p.paths).repositories[0].path,
            self.runbook, [*self.programs.values()], (p.file.parent,), except_for,
        )  # fmt: skip

    def procedure(
        self, sandbox: Sandbox, waits: Mapping[str, Wait], more: Values, limit: float = 120.0
    ) -> Procedure:
        """Return a procedure inside `sandbox`; `more` are placeholders that not every restore has."""
        p, addresses = self.profile, list(self.profile.talos.controlplanes.values())
        values: dict[str, str | tuple[str, ...]] = {
            "ESCROW": "../escrow", "GIT": "../git", "READER_KEY": f"../{sandbox.reader_key.name}",
            "BUCKET": p.s3.buckets[self.service], "STACK": p.name, "CP_IP": addresses[0],
            "CLUSTER": "restored", "ENDPOINT": f"https://{addresses[0]}:6443",
        }  # fmt: skip
        values |= {f"CP{n}_IP": address for n, address in enumerate(addresses, 1)}
        return Procedure(sandbox, self.programs, {**values, **more}, self._store(sandbox), waits, limit=limit)

    def _store(self, sandbox: Sandbox) -> dict[str, str]:
        """Return rclone's environment: the object storage, with the reader's key."""
        key = json.loads(sandbox.reader_key.read_text(encoding="utf-8"))
        known = {
            f"{STORE}_TYPE": "s3", f"{STORE}_PROVIDER": "Ceph", f"{STORE}_ENDPOINT": self.profile.s3.endpoint,
            f"{STORE}_ACCESS_KEY_ID": key["access_key"], f"{STORE}_SECRET_ACCESS_KEY": key["secret_key"],
            "RCLONE_CONFIG": str(sandbox.work / "rclone.conf"),
        }  # fmt: skip
        authority = sandbox.escrow / STORAGE_CA
        return known | ({"RCLONE_CA_CERT": str(authority)} if authority.exists() else {})


def released(overlay: Path, *parts: str) -> list[Mapping[str, str]]:
    """Return the images that a lab's generated overlay pins, where a real stack's Git has them itself.

    Raises:
        ProbeError: a kustomization is not there, or is none.
    """
    found: list[Mapping[str, str]] = []
    for folder in (overlay, *(overlay / part for part in parts)):
        try:
            found += yaml.safe_load((folder / KUSTOMIZATION).read_text(encoding="utf-8"))["images"]
        except (OSError, yaml.YAMLError, KeyError, TypeError) as why:
            raise ProbeError(
                f"{folder.name}/{KUSTOMIZATION}: {type(why).__name__}", "set overlay under [paths]"
            ) from why
    return found


def pin(folder: Path, images: list[Mapping[str, str]]) -> None:
    """Pin `images` in the kustomization of `folder`, which lies in the sandbox's own copy of Git."""
    file = folder / KUSTOMIZATION
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    document["images"] = [dict(image) for image in images]
    file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


class CommandCursor:
    """The commands of a section, taken in order."""

    def __init__(self, commands: tuple[Command, ...]) -> None:
        """Start at the first."""
        self._left = list(commands)

    def until(self, word: str) -> list[Command]:
        """Take the commands up to and with the first one in which `word` stands; all where none has it."""
        end = next((n for n, one in enumerate(self._left, 1) if word in one.words), len(self._left))
        taken, self._left = self._left[:end], self._left[end:]
        return taken

    def rest(self) -> list[Command]:
        """Take what is left."""
        taken, self._left = self._left, []
        return taken
