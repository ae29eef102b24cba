"""The search for secrets in clear in a Git repository: its files as they are, every version any ref ever held,
messages of commits and tags. Driven through git and gitleaks, and by rules of our own.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path, PurePosixPath

from assay.config.profile import LONGEST_WAIVER
from assay.config.trees import SourceTree
from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.tools import run_tool
from assay.probes.gitops.git import Blob, GitTree
from assay.secretscan.files import file_texts
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.text import of_lines, secrets_in_text
from assay.secretscan.tokens import hits


GITLEAKS_TIMEOUT_S = 300.0
CONFIG = Path(__file__).parents[1] / "data" / "gitleaks.toml"
BASELINE = ".assay-baseline.toml"
FINGERPRINTER = Fingerprinter()
Row = tuple[int, str, str]
_judged: dict[tuple[str, str, str], tuple[Row, ...]] = {}


@dataclass(frozen=True, slots=True)
class SecretLeak:
    """A secret in clear: `File path:line` (or `Commit id`, `Tag name`), the rule, a fingerprint that tells two apart.

    `oid` is the Git object it lies in, `past` says that no current file has it, `others` are the same line in other
    versions of the file.
    """

    ref: str
    rule: str
    fingerprint: str
    oid: str = ""
    past: bool = False
    others: tuple[SecretLeak, ...] = ()

    @property
    def why(self) -> str:
        """Return the rule and where the secret lies."""
        return f"{self.rule}; {f'in the history, object {self.oid[:12]}' if self.past else 'in the tree'}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """One entry of the baseline: an object, a line and a rule that somebody answers for until a day."""

    oid: str
    line: int
    rule: str
    expires: datetime.date


@dataclass(frozen=True, slots=True)
class FileVersion:
    """One version of one file to be judged."""

    path: str
    oid: str
    content: bytes = field(repr=False)
    past: bool


class SecretScan:
    """One repository. Nothing here returns or keeps a secret: lines, rules and fingerprints only.

    What cannot be judged is noted in `gaps`: submodules, files in LFS, archives that do not open, and gitleaks
    where it fails.

    Raises:
        ProbeError: no repository, half a history (shallow, partial), or a baseline that is not understood.
    """

    def __init__(self, tree: SourceTree, gitleaks: Path | None) -> None:
        """Read nothing yet; `gitleaks` is the program, None where only our own rules are wanted."""
        self.git, self.gitleaks = GitTree(tree), gitleaks
        self.gaps = self.git.gaps

    @cached_property
    def versions(self) -> tuple[FileVersion, ...]:
        """Return every version of every file: of the work tree, of the index, of the history."""
        blobs = self.git.blobs
        self.git.note_submodules()
        known = [
            FileVersion(b.path, b.oid, c, not b.current)
            for b, c in zip(blobs, self.git.contents(blobs), strict=True)
        ]
        seen = {(one.path, one.oid) for one in known if not one.past}
        fresh = [one for one in self._worktree() if (one.path, one.oid) not in seen]
        return (*fresh, *known)

    def _worktree(self) -> Iterator[FileVersion]:
        for path in self.git.worktree():
            file, name = self.git.path / path, self.git.name(path)
            if file.is_symlink() or not file.exists() or file.is_dir():
                continue  # a link's target is judged where it lies; a deleted file is in the index
            with self.gaps.part(f"File {name}"):
                try:
                    content = file.read_bytes()
                except OSError as error:
                    raise ProbeError(
                        f"{name}: cannot be read: {error.strerror}", "check its permissions"
                    ) from error
                yield FileVersion(name, oid_of(content), content, past=False)

    @cached_property
    def found(self) -> tuple[SecretLeak, ...]:
        """Return every secret in clear, what the baseline accepts included, each line of a file once.

        The same line in other versions of the file is the same secret, wherever it stands there.
        """
        todo = [one for one in self.versions if self._key(one) not in _judged]
        with ThreadPoolExecutor(1) as beside:
            running = beside.submit(self._by_gitleaks, todo)
            own = [self._by_own_rules(one) for one in todo]
            by_tool = dict[int, list[tuple[int, str]]]()
            with self.gaps.part("what gitleaks finds"):
                by_tool = running.result()
        for number, one in enumerate(todo):
            _judged[self._key(one)] = tuple(_fingerprinted(one, [*own[number], *by_tool.get(number, ())]))
        places: dict[tuple[str, str, str], list[SecretLeak]] = {}
        for one in self.versions:
            for line, rule, fingerprint in _judged[self._key(one)]:
                leak = SecretLeak(f"File {one.path}:{line}", rule, fingerprint, one.oid, one.past)
                places.setdefault((one.path, rule, fingerprint), []).append(leak)
        first = [replace(same[0], others=tuple(same[1:])) for same in places.values()]
        return (*first, *self._in_messages())

    def _by_own_rules(self, one: FileVersion) -> list[tuple[int, str]]:
        with self.gaps.part(f"File {one.path}{f', object {one.oid[:12]}' if one.past else ''}"):
            return list(in_file(one.path, one.content))
        return []

    def open(self, day: datetime.date | None = None) -> list[SecretLeak]:
        """Return what is found and not accepted on `day` (default: today) by the repository's baseline.

        An entry for one version of a file accepts the same line in the others.
        """
        today = day or datetime.datetime.now(datetime.UTC).date()
        accepted = {(one.oid, one.line, one.rule) for one in self.baseline if today <= one.expires}
        return [
            leak
            for leak in self.found
            if not any((one.oid, _line_of(one.ref), one.rule) in accepted for one in (leak, *leak.others))
        ]

    @cached_property
    def baseline(self) -> tuple[Accepted, ...]:
        """Return the entries of `.assay-baseline.toml`: one object, line and rule each, for at most 90 days."""
        file = self.git.path / BASELINE
        if not file.exists():
            return ()
        try:
            rows = tomllib.loads(file.read_text(encoding="utf-8"))["accepted"]
            return tuple(_accepted(row) for row in rows)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ProbeError(
                f"{BASELINE}: {error}", "each entry: object, line, rule, reason, approver, created, expires"
            ) from error

    def _key(self, one: FileVersion) -> tuple[str, str, str]:
        """Return what a judgement holds for: this content under this path, by these rules."""
        return str(self.gitleaks), one.oid, one.path

    def _in_messages(self) -> Iterator[SecretLeak]:
        for ref, text in self.git.messages():
            rules = {hit.rule for hit in hits(text)} | {rule for _, rule in of_lines(text, ".md")}
            yield from (SecretLeak(ref, rule, FINGERPRINTER.short(text), past=True) for rule in sorted(rules))

    @parsing("the report of gitleaks", "check [tools] gitleaks in the profile")
    def _by_gitleaks(self, todo: list[FileVersion]) -> dict[int, list[tuple[int, str]]]:
        """Return number in `todo` -> (line, rule): each version lies in a folder of its own name, free of paths."""
        if self.gitleaks is None or not todo:
            return {}
        with tempfile.TemporaryDirectory(prefix="assay-leaks-") as folder:
            files = Path(folder) / "versions"
            (Path(folder) / "none").mkdir()
            files.mkdir()
            for number, one in enumerate(todo):
                (files / str(number)).write_bytes(one.content)
            rows = run_gitleaks(self.gitleaks, files, Path(folder) / "none")
        found: dict[int, list[tuple[int, str]]] = {}
        for row in rows:
            number = int(PurePosixPath(str(row["File"]).split("!")[0]).name)
            found.setdefault(number, []).append(
                (max(1, int(str(row["StartLine"]))), f"gitleaks {row['RuleID']}")
            )
        return found


def run_gitleaks(program: Path, files: Path, empty: Path) -> list[dict[str, object]]:
    """Return the redacted findings of gitleaks below `files`; no ignore file and no comment can hide one.

    Raises:
        ProbeError: it cannot be run, fails, or writes no report.
    """
    command = [str(program), "dir", str(files), "--config", str(CONFIG), "--redact=100", "--report-format=json",
               "--report-path=-", "--ignore-gitleaks-allow", f"--gitleaks-ignore-path={empty}", "--max-archive-depth=4",
               "--no-banner", "--no-color", "--exit-code=0", "--log-level=error"]  # fmt: skip
    remedy = "check [tools] gitleaks in the profile"
    done = run_tool(command, GITLEAKS_TIMEOUT_S, "gitleaks", remedy=remedy, cwd=empty)
    if done.code:
        raise ProbeError(f"gitleaks exited with {done.code}", remedy)
    try:
        rows = json.loads(done.out or b"null")
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        raise ProbeError("gitleaks wrote no report", remedy)
    return rows


def oid_of(content: bytes) -> str:
    """Return the id that Git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def in_file(path: str, content: bytes) -> Iterator[tuple[int, str]]:
    """Yield (line, rule) of every secret that our own rules find in a file, members of an archive at line 1.

    Raises:
        ProbeError: an archive that cannot be judged.
    """
    for place, text in file_texts(path, content):
        for line, rule in secrets_in_text(place.rpartition("!")[2], text):
            inside = place.removeprefix(path)
            yield (line, rule) if not inside else (1, f"{rule}, in {inside.lstrip('!')}:{line}")


def _fingerprinted(version: FileVersion, rows: Iterable[tuple[int, str]]) -> Iterator[Row]:
    """Yield (line, rule, fingerprint), each line once: our own rule's name goes before gitleaks' one."""
    lines = version.content.decode("utf-8", "replace").splitlines()
    best: dict[int, str] = {}
    for line, rule in rows:
        best.setdefault(line, rule)
    for line, rule in best.items():
        yield line, rule, FINGERPRINTER.short(lines[line - 1].strip() if line <= len(lines) else version.oid)


def _line_of(ref: str) -> int:
    tail = ref.rpartition(":")[2]
    return int(tail) if tail.isdigit() else 0


def _accepted(row: dict[str, object]) -> Accepted:
    created, expires = row["created"], row["expires"]
    if not isinstance(created, datetime.date) or not isinstance(expires, datetime.date):
        raise ValueError("created and expires are days")
    if not datetime.timedelta(0) <= expires - created <= LONGEST_WAIVER or not (
        row["reason"] and row["approver"]
    ):
        raise ValueError(
            f"an entry holds for {LONGEST_WAIVER.days} days at most and names a reason and an approver"
        )
    return Accepted(str(row["object"]), int(str(row["line"])), str(row["rule"]), expires)


__all__ = ["Accepted", "Blob", "FileVersion", "SecretLeak", "SecretScan", "in_file", "oid_of", "run_gitleaks"]
