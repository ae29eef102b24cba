"""What can go wrong while judging.

Everything here means ERROR, or exit 4 before a run; a control with an offender that was found is FAIL.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self


class AssayError(Exception):
    """A one-line message and a remedy, fit for a summary.

    Args:
        message: what happened, one line, never a secret value.
        remedy: what the reader can do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        """Keep the message and the remedy apart so that a report can show both."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        """Return the message, with the remedy behind a dash where there is one."""
        return f"{self.message} - {self.remedy}" if self.remedy else self.message


class CatalogueError(AssayError):
    """A policy, its test or its violation is malformed or missing. Exit 4."""


class ProfileError(AssayError):
    """The stack profile cannot be used. Exit 4."""


class ProbeError(AssayError):
    """A fact could not be read: unreachable, denied, unreadable, half of it. ERROR."""


class AssumptionError(AssayError):
    """Something the judgement rests on does not hold. ERROR."""


class PopulationError(AssayError):
    """Nothing, or not everything, was looked at. ERROR."""

    @classmethod
    def of(cls, control: str, places: Iterable[str]) -> Self:
        """Return the error of a control that found nothing to judge in `places`, the probes that it asked."""
        where = ", ".join(sorted(places)) or "the profile"
        return cls(
            f"nothing to judge: there is none of what {control} is about in {where}",
            "check in the profile where it is and what it is called, and the rights to see it; "
            "a platform that has none says so under [[not_applicable]]",
        )


class PairError(AssayError):
    """A refusal without an admitted baseline request, or by another layer than the one under test. ERROR."""


class GuardError(AssayError):
    """A guard refused to act: wrong cluster, wrong kind of stack, foreign plant. ERROR."""


class UndeclaredError(AssayError):
    """Neither the specification nor the profile gives the number. NOT_CHECKED."""
