"""The restore sandbox: all that a restore may use after everything else is gone.

The object storage's reader key, the escrow folder, Git as committed, and the runbook. While it is open, the
process and what it starts see nothing else: no other variable of the environment, no other credential's file.
A restore that would have needed one has failed, however well it went.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import GuardError, ProbeError
from assay.formats.tools import ToolResult, run_tool


EXPORT_TIMEOUT_S = 120.0
READER, ESCROW, GIT, RUNBOOK, WORK = "s3-reader.json", "escrow", "git", "runbook.md", "work"
CONTENT = {ESCROW, GIT, RUNBOOK, WORK}
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
HOMES = (".kube", ".talos", ".aws", ".vault-token", ".config/sops", ".config/rclone", ".config/gcloud")
NAMED = re.compile(r"(?:^|[=@:,])((?:/|\.\.?/)[^=@:,]*)")
REMEDY = (
    "the restore needs more than the reader key, the escrow folder, Git and the runbook: put it into escrow"
)


@dataclass(slots=True)
class _Watch:
    """What the audit hook looks for: files of `closed` folders opened by `thread`, but for `open_` ones."""

    thread: int = 0
    closed: tuple[str, ...] = ()
    open_: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)

    def hear(self, event: str, given: tuple[object, ...]) -> None:
        if event != "open" or self.thread != threading.get_ident() or not isinstance(given[0], str | bytes):
            return
        path = os.path.realpath(os.fsdecode(given[0]))
        if path.startswith(self.closed) and not path.startswith(self.open_):
            self.seen.append(Path(path).name)


_watch = _Watch()
_hooked: list[bool] = []


@dataclass(frozen=True, slots=True)
class Sandbox:
    """An open sandbox in a folder of its own; `programs` may be run, all else is out of reach."""

    folder: Path
    programs: tuple[Path, ...] = ()
    reader: str = READER

    @property
    def reader_key(self) -> Path:
        """Return the file of the reader key, JSON with access_key and secret_key."""
        return self.folder / self.reader

    @property
    def escrow(self) -> Path:
        """Return the copy of the escrow folder."""
        return self.folder / ESCROW

    @property
    def git(self) -> Path:
        """Return the folder with the repository as committed."""
        return self.folder / GIT

    @property
    def runbook(self) -> Path:
        """Return the runbook."""
        return self.folder / RUNBOOK

    @property
    def work(self) -> Path:
        """Return the folder for what the restore makes itself."""
        return self.folder / WORK

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of what runs inside: no credential, and a home inside the sandbox."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "HOME": str(self.work), "TMPDIR": str(self.work)}

    def run(
        self, argv: Sequence[str], seconds: float, extra: Mapping[str, str] | None = None, stdin: str = ""
    ) -> ToolResult:
        """Run one program in the work folder and return what it came to, whatever that is.

        Args:
            argv: the program's absolute path, one of `programs`, and its words.
            seconds: time limit.
            extra: more environment, paths inside the sandbox only.
            stdin: the file, inside the sandbox, that it reads from; empty: it reads nothing.

        Raises:
            GuardError: a word names a file outside, or the program is none of those allowed.
            ProbeError: it did not start or did not end in time.
        """
        self.check()
        self._inside([*argv, stdin], extra or {})
        env = {**self.environment, **(extra or {})}
        try:
            with (self.work / stdin if stdin else Path(os.devnull)).open("rb") as source:
                return run_tool(argv, seconds, Path(argv[0]).name, env=env, cwd=self.work, stdin=source)
        except OSError as why:
            raise ProbeError(
                f"{stdin}: {why.strerror}", "the procedure reads a file that is not there"
            ) from why

    def keep(self, name: str, printed: str) -> None:
        """Write what a program printed to the file `name` of the sandbox, readable by its owner alone.

        Raises:
            GuardError: the file would lie outside.
        """
        path = Path(os.path.realpath(self.work / name))
        if not path.is_relative_to(os.path.realpath(self.folder)):
            raise GuardError(f"{path.name} lies outside of the sandbox", REMEDY)
        path.touch(mode=0o600)
        path.write_text(printed, encoding="utf-8")

    def _inside(self, argv: Sequence[str], extra: Mapping[str, str]) -> None:
        if Path(argv[0]) not in self.programs:
            raise GuardError(f"{Path(argv[0]).name} is not a program of the sandbox", REMEDY)
        for word in [*argv[1:], *extra.values()]:
            for name in NAMED.findall(word):
                path = Path(os.path.realpath(self.work / name))
                if path.exists() and not path.is_relative_to(os.path.realpath(self.folder)):
                    raise GuardError(f"{path.name} lies outside of the sandbox", REMEDY)

    def check(self) -> None:
        """Check that nothing was added and nothing outside was read.

        Raises:
            GuardError: something was.
        """
        if more := sorted({path.name for path in self.folder.iterdir()} - CONTENT - {self.reader}):
            raise GuardError(f"the sandbox holds more than it may: {', '.join(more)}", REMEDY)
        root = os.path.realpath(self.folder)
        for path in self.folder.rglob("*"):
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root):
                raise GuardError(f"{path.name} in the sandbox leads outside", REMEDY)
        if _watch.seen:
            raise GuardError(f"{', '.join(sorted(set(_watch.seen)))}: read from outside", REMEDY)


@contextmanager
def open_sandbox(
    reader_key: Path,
    escrow: Path,
    repository: Path,
    runbook: Path,
    programs: Sequence[Path] = (),
    closed: Sequence[Path] = (),
    except_for: Sequence[Path] = (),
    reader: str = READER,
) -> Iterator[Sandbox]:
    """Yield an sandbox with exactly these; all of it is deleted on the way out.

    Args:
        reader_key: the reader's key file.
        escrow: the escrow folder; it is copied.
        repository: a Git work tree; what is committed is exported, nothing else.
        runbook: the runbook.
        programs: absolute paths of programs that may be run.
        closed: folders whose files this thread must not open while the sandbox is open.
        except_for: folders below those that it may (a drill's own journal).
        reader: what the reader's key file is called inside: the runbook's scripts may rely on it.

    Raises:
        GuardError: something of the content is missing, or something else was used.
    """
    with tempfile.TemporaryDirectory(prefix="assay-sandbox-") as name:
        sandbox = Sandbox(Path(name), tuple(programs), Path(reader).name)
        _fill(sandbox, reader_key, escrow, repository, runbook)
        before = dict(os.environ)
        _listen(closed, (sandbox.folder, *except_for))
        try:
            os.environ.clear()
            os.environ.update(sandbox.environment)
            yield sandbox
            sandbox.check()
        finally:
            os.environ.clear()
            os.environ.update(before)
            _watch.thread, _watch.seen = 0, []


def _listen(closed: Sequence[Path], open_: Sequence[Path]) -> None:
    if not _hooked:
        sys.addaudithook(_watch.hear)
        _hooked.append(True)
    homes = [Path.home() / name for name in HOMES]
    _watch.closed = tuple(os.path.realpath(path) for path in (*closed, *homes))
    _watch.open_ = tuple(os.path.realpath(path) for path in open_)
    _watch.seen, _watch.thread = [], threading.get_ident()


def _fill(sandbox: Sandbox, reader_key: Path, escrow: Path, repository: Path, runbook: Path) -> None:
    try:
        sandbox.work.mkdir()
        sandbox.git.mkdir()
        shutil.copyfile(reader_key, sandbox.reader_key)
        sandbox.reader_key.chmod(0o600)
        shutil.copytree(escrow, sandbox.escrow)
        shutil.copyfile(runbook, sandbox.runbook)
    except (OSError, shutil.Error) as why:
        raise GuardError(
            f"the sandbox cannot be filled: {type(why).__name__}", "check [s3], [escrow] and runbook"
        ) from why
    _export(repository, sandbox.git)


def _export(repository: Path, target: Path) -> None:
    packed = run_tool(["git", "-C", repository, "archive", "HEAD"], EXPORT_TIMEOUT_S, "git archive")
    done = run_tool(["tar", "-x", "-C", target], EXPORT_TIMEOUT_S, "tar", stdin=packed.out)
    if packed.code or done.code:
        raise GuardError(
            "the repository cannot be exported", "repository under [paths] must be a Git work tree"
        )
