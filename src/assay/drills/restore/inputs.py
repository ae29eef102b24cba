"""What a restore by the runbook is given: the sandbox, the programs, values for the placeholders."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from assay.backups.places import bucket_of
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.config.trees import Trees
from assay.drills.restore.procedure import Procedure, Wait
from assay.drills.restore.sandbox import Sandbox, open_sandbox
from assay.formats.parsing import parsing
from assay.probes.runbook.shell import Command
from assay.probes.talos.read import Talos


SHRED = Path("/usr/bin/shred")
STORE = "RCLONE_CONFIG_STORE"
KUSTOMIZATION = "kustomization.yaml"
Values = Mapping[str, str | tuple[str, ...]]


@dataclass(frozen=True)
class RestoreInputs:
    """What restores `service` in the stack of `profile` with the programs `tools`."""

    profile: Profile
    runbook: Path
    service: Service
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

    @cached_property
    def addresses(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the addresses of the control planes, and those of the workers.

        Raises:
            ProbeError: no source knows them.
        """
        talos = Talos.from_profile(self.profile)
        planes = tuple(one.address for one in talos.controlplanes)
        return planes, tuple(one.address for one in talos.machines if one.address not in planes)

    @cached_property
    def authority(self) -> str:
        """Return the file of the escrow kit that is the storage's authority; empty: none is, or is needed."""
        if self.profile.s3.ca is None:
            return ""
        wanted = self.profile.need_path("s3.ca").read_bytes()
        kit = sorted(one for one in self.profile.need_path("escrow.folder").iterdir() if one.is_file())
        return next((one.name for one in kit if one.read_bytes() == wanted), "")

    def open_sandbox(self, *except_for: Path) -> AbstractContextManager[Sandbox]:
        """Open the sandbox; while it is open, this thread reads no other file of the stack's state.

        Raises:
            ProbeError: the profile lacks a part of it, or no source knows the control planes.
        """
        p, _ = self.profile, (self.addresses, self.authority)  # asked before it is open
        return open_sandbox(
            p.need_path("s3.reader_key"), p.need_path("escrow.folder"), Trees(p.paths).repositories[0].path,
            self.runbook, [*self.programs.values()], (p.file.parent,), except_for,
            p.escrow.reader_key,
        )  # fmt: skip

    def procedure(
        self, sandbox: Sandbox, waits: Mapping[str, Wait], more: Values, limit: float = 120.0
    ) -> Procedure:
        """Return a procedure inside `sandbox`; `more` are placeholders that not every restore has."""
        p, (addresses, _) = self.profile, self.addresses
        values: dict[str, str | tuple[str, ...]] = {
            "ESCROW": "../escrow", "GIT": "../git", "READER_KEY": f"../{sandbox.reader_key.name}",
            "BUCKET": bucket_of(p, self.service), "STACK": p.name, "CP_IP": addresses[0],
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
        return known | ({"RCLONE_CA_CERT": str(sandbox.escrow / self.authority)} if self.authority else {})


def released(overlay: Path) -> list[Mapping[str, str]]:
    """Return the images that a stack's generated overlay pins, where another stack's Git has them itself.

    Raises:
        ProbeError: a kustomization cannot be read.
    """
    found = dict[str, Mapping[str, str]]()
    for file in sorted(overlay.rglob(KUSTOMIZATION)):
        with parsing(f"{file.relative_to(overlay)}", "check overlay under [paths]"):
            found |= {one["name"]: one for one in yaml.safe_load(file.read_text("utf-8")).get("images") or ()}
    return list(found.values())


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

    def until_last(self, word: str) -> list[Command]:
        """Take the commands up to and with the last one in which `word` stands; all where none has it."""
        ends = [number for number, one in enumerate(self._left, 1) if word in one.words]
        end = ends[-1] if ends else len(self._left)
        taken, self._left = self._left[:end], self._left[end:]
        return taken

    def rest(self) -> list[Command]:
        """Take what is left."""
        taken, self._left = self._left, []
        return taken
