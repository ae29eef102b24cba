"""The Talos machine API, written to: for violations on a lab.

Every change has its way back on disk before it is made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.polling import poll
from assay.probes.net import tls
from assay.probes.talos.facts import Machine
from assay.probes.talos.read import Talos
from assay.writers.lab import require_lab


SAVED, NOTE = ".before-plant", ".replaced"
NETNS = Path("/run/netns")
LISTEN = "import socket,sys; s=socket.create_server(('',int(sys.argv[1]))); sys.stdin.read()"


class TalosWriter:
    """What a violation may do to the nodes of a lab.

    Each handle is a context manager that undoes on the way out.
    """

    def __init__(self, talos: Talos, folder: Path) -> None:
        """Write through the admin credential of `talos`.

        Ways back are kept in `folder`, and left-over ones are taken first.

        Raises:
            GuardError: what an earlier, killed run left could not be put back.
        """
        self._talos, self._folder = talos, folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._put_back_all()

    @classmethod
    def from_profile(cls, profile: Profile) -> TalosWriter:
        """Return the write side for the lab of `profile`.

        Raises:
            GuardError: the stack is not a lab.
            ProbeError: the profile lacks talosctl, the admin credential or the nodes.
        """
        require_lab(profile)
        return cls(Talos.from_profile(profile, Effect.WRITES), profile.file.parent / "planted-talos")

    def machine(self, name: str) -> Machine:
        """Return the node called `name`.

        Raises:
            ProbeError: the profile has none.
        """
        for one in self._talos.machines:
            if one.name == name:
                return one
        raise ProbeError(f"{name} is not a node of the profile", "check [talos]")

    def run(self, args: list[str]) -> str:
        """Return what talosctl prints for `args`, about the first control plane unless they say otherwise."""
        return self._talos.clients.admin.ask(self._talos.controlplanes[0], *args)

    @contextmanager
    def patched(self, node: str, patch: dict[str, Any], mode: str = "no-reboot") -> Iterator[Machine]:
        """Yield the node after a strategic patch of its machine configuration.

        The whole old one is applied on the way out.

        Args:
            node: its name.
            patch: merged over the running configuration.
            mode: `no-reboot`, or `staged` for one that waits for a boot.

        Raises:
            ProbeError: refused, or the change or its undo is not observed.
        """
        machine = self.machine(node)
        before = self._stored(machine)
        way_back = self._folder / f"{node}.yaml"
        _write_durably(way_back, before)
        try:
            self._talos.clients.admin.ask(
                machine, "patch", "machineconfig", "--mode", mode, "--patch", json.dumps(patch)
            )
            self._await(lambda: self._stored(machine) != before, f"{machine.ref} taking the patch")
            yield machine
        finally:
            self._put_back(machine, way_back)

    @contextmanager
    def credential(self, path: Path, roles: str, hours: int) -> Iterator[Path]:
        """Yield `path`, a talosconfig, holding another certificate: these Talos roles for so many hours.

        The old file comes back.
        """
        fresh = self._folder / "talosconfig"
        fresh.unlink(missing_ok=True)
        node = self._talos.controlplanes[0]
        self._talos.clients.admin.ask(
            node, "config", "new", "--roles", roles, "--crt-ttl", f"{hours}h", str(fresh)
        )
        with self.replaced(path, fresh.read_text()):
            fresh.unlink()
            yield path

    @contextmanager
    def replaced(self, path: Path, text: str) -> Iterator[Path]:
        """Yield `path` with other content; the old file comes back, after a crash at the next start."""
        saved, note = path.with_name(path.name + SAVED), self._folder / f"{path.name}{NOTE}"
        _write_durably(saved, path.read_text())
        _write_durably(note, str(path))
        try:
            _write_durably(path.with_name(path.name + ".new"), text)
            path.with_name(path.name + ".new").replace(path)
            yield path
        finally:
            saved.replace(path)
            note.unlink(missing_ok=True)

    @contextmanager
    def listening(self, node: str, port: int) -> Iterator[Machine]:
        """Yield the node while a process in its network namespace listens on `port`.

        It ends with us, whatever happens.
        """
        machine = self.machine(node)
        space = next((p for p in (NETNS / node, NETNS / f"assay-{node}") if p.exists()), None)
        if space is None:
            raise GuardError(
                f"{machine.ref} has no network namespace on this machine", "plant this on a lab run here"
            )
        argv = ["nsenter", f"--net={space}", sys.executable, "-c", LISTEN, str(port)]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                self._await(
                    lambda: tls.probe_port(machine.address, port).state == "open",
                    f"{machine.address}:{port} opening",
                    20,
                )
                yield machine
            finally:
                process.kill()
                process.wait(timeout=10)

    def _stored(self, machine: Machine) -> str:
        return str(self._talos.stored(machine).get("spec", ""))

    def _put_back(self, machine: Machine, way_back: Path) -> None:
        before = way_back.read_text()
        self._talos.clients.admin.ask(machine, "apply-config", "--mode", "no-reboot", "--file", str(way_back))
        wanted = self._settled(machine, before)
        self._await(wanted, f"{machine.ref} getting its configuration back", 60)
        way_back.unlink()

    def _settled(self, machine: Machine, before: str) -> Callable[[], bool]:
        def settled() -> bool:
            running = self._talos.sensitive(machine, "machineconfig", "v1alpha1")
            return self._stored(machine) == before and bool(running) and running[0].get("spec") == before

        return settled

    def _put_back_all(self) -> None:
        for way_back in sorted(self._folder.glob("*.yaml")):
            self._put_back(self.machine(way_back.stem), way_back)
        for note in sorted(self._folder.glob(f"*{NOTE}")):
            path = Path(note.read_text())
            saved = path.with_name(path.name + SAVED)
            if saved.exists():
                saved.replace(path)
            note.unlink()

    def _await(self, holds: Callable[[], bool], what: str, within: float = 30) -> None:
        if not poll(holds, within, every_s=0.3):
            raise ProbeError(f"{what}: not observed in {within:.0f} s", "nothing was proved")


def _write_durably(path: Path, text: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
