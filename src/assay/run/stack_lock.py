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

    def try_exclusive(self, timeout_s: float = 0) -> bool:
        """Return True once nobody else uses the stack, False if somebody still does after the time-out."""
        return self._acquire(fcntl.LOCK_EX, timeout_s)

    def shared(self, timeout_s: float) -> None:
        """Return once nobody plants.

        Raises:
            GuardError: somebody still does after the time-out.
        """
        if not self._acquire(fcntl.LOCK_SH, timeout_s):
            raise GuardError(
                "another run is planting violations in this stack", "wait for it to end, then judge"
            )

    def close(self) -> None:
        """Release the lock."""
        self._file.close()

    def _acquire(self, how: int, timeout_s: float) -> bool:
        def acquired() -> bool:
            try:
                fcntl.flock(self._file, how | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        return poll(acquired, timeout_s)
