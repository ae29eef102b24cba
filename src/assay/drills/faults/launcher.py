"""The launcher of a profile: the program that takes nodes of a lab away and brings them back."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from assay.errors import GuardError


if TYPE_CHECKING:
    from assay.config.profile import Profile


class Launcher:
    """Runs `<launcher> node VERB NAME`: `kill`, `start`, `lose-disk` and what else it knows."""

    def __init__(self, command: str, seconds: float = 90.0) -> None:
        """Drive `command`, split as a shell would; `seconds` is the time limit of one call."""
        self._command = shlex.split(command)
        self._seconds = seconds

    @classmethod
    def from_profile(cls, profile: Profile) -> Launcher:
        """Return the launcher that `profile` names.

        Raises:
            ProbeError: it names none.
        """
        return cls(profile.need_text("drill.launcher"))

    def line(self, verb: str, node: str) -> str:
        """Return the command as somebody would type it."""
        return shlex.join([*self._command, "node", verb, node])

    def do(self, verb: str, node: str) -> None:
        """Run `<launcher> node <verb> <node>`.

        Raises:
            GuardError: the launcher failed.
        """
        try:
            done = subprocess.run(
                [*self._command, "node", verb, node],
                capture_output=True,
                text=True,
                timeout=self._seconds,
                check=False,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as why:
            raise GuardError(
                f"the launcher did not {verb} {node}: {type(why).__name__}", "check launcher under [drill]"
            ) from why
        if done.returncode:
            words = (done.stderr or done.stdout).strip().splitlines()[-1:]
            raise GuardError(
                f"the launcher did not {verb} {node}: {' '.join(words)[:200]}", "start the node by hand"
            )
