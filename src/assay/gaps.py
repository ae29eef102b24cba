"""What a reader of many files did not read: a file that cannot be read costs that file, not the judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from assay.errors import AssayError, ProbeError


MOST_NAMES = 5


@dataclass
class Gaps:
    """What a reader of many files could not read, and what it was told to leave out or cannot judge.

    A file that cannot be read costs that file: its reader notes it here, and the judgement that used the
    reader cannot come to PASS.

    Attributes:
        unread: name of a part -> why it could not be read.
        excluded: name of a file that the profile excludes -> its reason.
        not_rendered: name of a template -> what it belongs to.
    """

    unread: dict[str, AssayError] = field(default_factory=dict)
    excluded: dict[str, str] = field(default_factory=dict)
    not_rendered: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Note that the part `name` cannot be read where the body says so, and go on."""
        try:
            yield
        except ProbeError as problem:
            self.unread.setdefault(name, problem)

    def nothing_left(self, what: str, remedy: str) -> ProbeError:
        """Return the error of a reader with nothing to judge: the first part that could not be read, if any.

        Args:
            what: the places that were looked at.
            remedy: what the reader can do where all was read.
        """
        first = next((one for one in self.unread.values() if isinstance(one, ProbeError)), None)
        left_out = f"{len(self.excluded)} files excluded, {len(self.not_rendered)} templates of charts"
        return first or ProbeError(f"{what}: nothing to judge ({left_out})", remedy)

    def notes(self) -> Iterator[tuple[str, str]]:
        """Yield (key, words) of what was left out, for the evidence."""
        for reason, names in _by_value(self.excluded).items():
            yield f"excluded: {reason}", _counted(names)
        for owner, names in _by_value(self.not_rendered).items():
            yield f"not rendered, so not judged: {owner}", _counted(names)


def _by_value(found: Mapping[str, str]) -> dict[str, list[str]]:
    turned: dict[str, list[str]] = {}
    for name, value in found.items():
        turned.setdefault(value, []).append(name)
    return turned


def _counted(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:MOST_NAMES])
    return f"{len(names)} files: {shown}{', ...' if len(names) > MOST_NAMES else ''}"


def gaps_of(readers: Iterable[object]) -> list[Gaps]:
    """Return the gaps of those among the readers, or tuples of readers, that keep some in `gaps`."""
    several = [part for one in readers for part in (one if isinstance(one, tuple) else (one,))]
    found = (getattr(one, "gaps", None) for one in several)
    return [one for one in found if isinstance(one, Gaps)]
