"""Who may use a stack now: many may judge, one may plant.

Held by the operating system, so a killed run holds nothing.
"""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

from assay.config.profile import Profile
from assay.errors import GuardError
from assay.polling import poll


class StackLock:
    """A lock on a stack, shared for judging, exclusive for planting.

    Released by `close` or by the end of the process.
    """

    def __init__(self, profile: Profile) -> None:
        """Name the lock after the cluster, or after the profile's name where the cluster is not known."""
        path = Path(tempfile.gettempdir()) / f"assay-{profile.cluster_uid or profile.name}.lock"
        self._file = path.open("a")

    def alone(self, within: float = 0) -> bool:
        """Return True once nobody else uses the stack.

        False if somebody still does after `within` seconds.
        """
        return self._take(fcntl.LOCK_EX, within)

    def shared(self, within: float) -> None:
        """Return once nobody plants.

        Raises:
            GuardError: somebody still does after `within` seconds.
        """
        if not self._take(fcntl.LOCK_SH, within):
            raise GuardError(
                "another run is planting violations in this stack", "wait for its end, then judge"
            )

    def close(self) -> None:
        """Give the stack back."""
        self._file.close()

    def _take(self, how: int, within: float) -> bool:
        def taken() -> bool:
            try:
                fcntl.flock(self._file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        return poll(taken, within)
