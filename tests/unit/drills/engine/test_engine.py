"""The state machine of drills: the way back is on disk before the act, and taken on every exit.

A drill of a fake driver is killed at every boundary: before and after each line of the journal, before and
after each deed of the driver, in the body. So is what puts it back.
"""

import itertools
import os
import signal
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assay.drills.engine.engine import Engine
from assay.drills.engine.journal import NEXT, HeldError, Journal, JournalState, Stage, Undo, read_journal
from assay.drills.engine.signals import interruptible
from assay.drills.faults.launcher import Launcher
from assay.errors import GuardError


At = Callable[[str], None]
LINES = ("armed", "acting", "returning", "undone", "armed again", "closed")
DEEDS = ("inject", "undo", "look")
BOUNDARIES = (
    *(f"{when} {what}" for what in (*LINES, *DEEDS) for when in ("before", "after")),
    "in body",
)


def silent(_: str) -> None:
    """Nobody is told of a boundary."""


class Nodes:
    """Nodes are files: there is on. `at` is called at every boundary."""

    def __init__(self, folder: Path, at: At = silent) -> None:
        self.folder, self.at, self.fails, self.blind = folder, at, 0, False

    def inject(self, node: str) -> float:
        self.at("before inject")
        (self.folder / node).unlink()
        self.at("after inject")
        return 1.0

    def ensure_undone(self, node: str) -> None:
        self.at("before undo")
        if self.fails:
            self.fails -= 1
            raise GuardError("not yet")
        (self.folder / node).touch()
        self.at("after undo")

    def is_undone(self, node: str) -> bool:
        self.at("before look")
        on = (self.folder / node).exists() and not self.blind
        self.at("after look")
        return on

    def by_hand(self, node: str) -> str:
        return f"launcher node start {node}"


class Told(Journal):
    """A journal that announces each of its lines."""

    def __init__(self, path: Path, at: At = silent) -> None:
        self.at, self.seen = at, set[str]()
        super().__init__(path)

    def _append(self, stage: Stage | None, entry: dict[str, object]) -> None:
        name = stage.value if stage else "undone"
        what = f"{name} again" if name in self.seen else name
        self.seen.add(name)
        self.at(f"before {what}")
        super()._append(stage, entry)
        self.at(f"after {what}")


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A folder with two nodes that are on."""
    (tmp_path / "nodes").mkdir()
    for name in ("cp-1", "cp-2"):
        (tmp_path / "nodes" / name).touch()
    return tmp_path / "nodes"


def path(nodes: Path) -> Path:
    """Return where the journal lies."""
    return nodes.parent / "journal.jsonl"


@contextmanager
def started(nodes: Path, driver: Nodes, at: At = silent) -> Iterator[Engine]:
    """Hold the journal, armed."""
    with closing(Told(path(nodes), at)) as journal:
        engine = Engine(journal, lambda _: driver)
        engine.begin()
        try:
            yield engine
        finally:
            engine.end()


def drill(nodes: Path, at: At) -> None:
    """One whole loss, with every boundary announced."""
    with started(nodes, Nodes(nodes, at), at) as engine, engine.acting("node", "cp-1"):
        at("in body")


def resumed(nodes: Path, at: At = silent) -> list[str]:
    """Put back what is left, with every boundary announced."""
    with closing(Told(path(nodes), at)) as journal:
        return Engine(journal, lambda _: Nodes(nodes, at)).resume()


def all_on(nodes: Path) -> bool:
    """Return whether both nodes are there and the journal is closed with nothing open."""
    state, _ = read_journal(path(nodes))
    return (nodes / "cp-1").exists() and (nodes / "cp-2").exists() and state.stage is Stage.CLOSED


def fill_up(journal: Journal) -> None:
    """Let the disk of the journal be full."""
    held, journal._file = journal._file, Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
    held.close()


def struck(what: Callable[[At], object], boundary: str, number: int = signal.SIGKILL) -> bool:
    """Do `what` in a process of its own that is killed at `boundary`; return whether it got there."""

    def at(here: str) -> None:
        if here == boundary:
            os.kill(os.getpid(), number)

    child = os.fork()
    if child == 0:
        what(at)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_killed_at(boundary: str, nodes: Path) -> None:
    """After SIGKILL at any boundary the next start brings the node back, and the journal is closed."""
    assert struck(lambda at: drill(nodes, at), boundary)
    resumed(nodes)
    assert all_on(nodes) or boundary == "before armed"
    drill(nodes, silent)
    assert all_on(nodes)


@pytest.mark.parametrize(
    "boundary", ["before undo", "after undo", "after look", "after undone", "before closed"]
)
def test_killed_while_putting_back(boundary: str, nodes: Path) -> None:
    """What puts back may be killed as well, any number of times."""
    struck(lambda at: drill(nodes, at), "in body")
    assert struck(lambda at: resumed(nodes, at), boundary)
    resumed(nodes)
    assert all_on(nodes)


def test_killed_with_two_away(nodes: Path) -> None:
    """Both come back, the one lost last first."""

    def both(at: At) -> None:
        with (
            started(nodes, Nodes(nodes), at) as engine,
            engine.acting("node", "cp-1"),
            engine.acting("node", "cp-2"),
        ):
            os.kill(os.getpid(), signal.SIGKILL)

    struck(both, "")
    assert not (nodes / "cp-1").exists()
    assert resumed(nodes) == ["cp-2", "cp-1"]
    assert all_on(nodes)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("boundary", [b for b in BOUNDARIES if b not in ("before armed", "after closed")])
def test_signalled_at(boundary: str, number: int, nodes: Path) -> None:
    """A signal at any moment ends the drill, never the way back."""

    def at(here: str) -> None:
        if here == boundary:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt), interruptible():
        drill(nodes, at)
    if not all_on(nodes):
        resumed(nodes)
    assert all_on(nodes)


@pytest.mark.parametrize("boundary", ["after inject", "in body", "before undo", "after undone"])
def test_a_signal_in_the_body_or_later_needs_no_resume(boundary: str, nodes: Path) -> None:
    """The drill itself puts back: nothing is left for the next one."""

    def at(here: str) -> None:
        if here == boundary:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), interruptible():
        drill(nodes, at)
    assert all_on(nodes)


def test_nothing_is_changed_without_a_journal(nodes: Path) -> None:
    """A full disk: the intent cannot be written, so the act never happens."""
    with closing(Told(path(nodes))) as journal:
        engine = Engine(journal, lambda _: Nodes(nodes))
        engine.begin()
        fill_up(journal)
        with pytest.raises(GuardError, match="cannot be written"), engine.acting("node", "cp-1"):
            pytest.fail("the body must not run")
    assert (nodes / "cp-1").exists()


def test_a_disk_that_fills_up_does_not_stop_the_way_back(nodes: Path) -> None:
    """The node is back, the drill says that its journal is not, and the next one reads it and closes."""
    with closing(Told(path(nodes))) as journal:
        engine = Engine(journal, lambda _: Nodes(nodes))
        engine.begin()
        with pytest.raises(GuardError, match="cannot be written"), engine.acting("node", "cp-1"):
            fill_up(journal)
        assert (nodes / "cp-1").exists()
    assert resumed(nodes) == ["cp-1"]
    assert all_on(nodes)


def test_undo_is_tried_again(nodes: Path) -> None:
    """Two failures are no failure."""
    driver = Nodes(nodes)
    driver.fails = 2
    with started(nodes, driver) as engine, engine.acting("node", "cp-1"):
        pass
    assert all_on(nodes)


@pytest.mark.parametrize("never", ["fails", "unseen"])
def test_what_does_not_come_back_needs_a_human(nodes: Path, never: str) -> None:
    """All are tried, the stage says so, the error has the next command, and nothing is changed any more."""
    driver = Nodes(nodes)
    with pytest.raises(GuardError) as told, started(nodes, driver) as engine, engine.acting("node", "cp-1"):
        driver.fails, driver.blind = (99, False) if never == "fails" else (0, True)
    assert "needs manual intervention" in str(told.value)
    assert "assay drill rollback" in str(told.value)
    assert never == "fails" or "launcher node start cp-1" in str(told.value)
    state, _ = read_journal(path(nodes))
    assert (state.stage, [undo for _, undo in state.pending]) == (
        Stage.MANUAL_INTERVENTION,
        [Undo("node", "cp-1")],
    )
    with closing(Journal(path(nodes))) as journal, pytest.raises(GuardError, match="may not be"):
        journal.intend(Undo("node", "cp-2"))
    with pytest.raises(GuardError, match="needs manual intervention"), started(nodes, driver):
        pytest.fail("no new drill before the old one is back")
    assert resumed(nodes) == ["cp-1"]
    assert all_on(nodes)


def test_the_guard_is_asked_before_each_change(nodes: Path) -> None:
    """Another cluster answers in mid-drill: what is lost comes back, nothing more is lost."""
    asked: list[int] = []

    def guard() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise GuardError("another cluster answers")

    with closing(Told(path(nodes))) as journal:
        engine = Engine(journal, lambda _: Nodes(nodes), guard)
        engine.begin()
        with (
            pytest.raises(GuardError, match="another cluster"),
            engine.acting("node", "cp-1"),
            engine.acting("node", "cp-2"),
        ):
            pytest.fail("the body must not run")
        engine.end()
    assert all_on(nodes)


def test_one_drill_at_a_time(tmp_path: Path) -> None:
    """The second one is refused."""
    with closing(Journal(tmp_path / "journal.jsonl")), pytest.raises(HeldError, match="another drill"):
        Journal(tmp_path / "journal.jsonl")
    Journal(tmp_path / "journal.jsonl").close()


def test_torn_last_line_is_dropped_and_damage_refused(tmp_path: Path) -> None:
    """Every cut of the last line reads as the journal before it; a change further up is damage."""
    file = tmp_path / "journal.jsonl"
    with closing(Journal(file)) as journal:
        journal.enter(Stage.ARMED)
        journal.intend(Undo("node", "cp-1"))
        before = file.read_bytes()
        journal.intend(Undo("node", "cp-2"))
    whole = file.read_bytes()
    for cut in range(len(before), len(whole)):
        file.write_bytes(whole[:cut])
        with closing(Journal(file)) as again:
            assert [undo.target for _, undo in again.state.pending] == ["cp-1"]
            assert again.intend(Undo("node", "cp-3")) == 3
    file.write_bytes(whole.replace(b"cp-1", b"cp-9"))
    with pytest.raises(GuardError, match="damaged"):
        Journal(file)
    Path(f"{file}.2").write_bytes(whole)
    assert read_journal(Path(f"{file}.2"))[0].stage is Stage.ACTING


def test_no_way_around_the_stages() -> None:
    """Nothing is changed by a drill that is not armed, returns, or waits for a person; all stages lead on."""
    before = {stage for stage in Stage if Stage.ACTING in NEXT[stage]}
    assert before == {Stage.ARMED, Stage.ACTING, Stage.RETURNING}
    assert {stage for stage in Stage if Stage.CLOSED in NEXT[stage]} == {Stage.ARMED}
    assert all(NEXT[stage] for stage in Stage)
    for one, two in itertools.product(Stage, Stage):
        assert JournalState(stage=one).takes(two) == (two in NEXT[one])


def test_launcher_complains(tmp_path: Path) -> None:
    """A launcher that fails or is not there says so."""
    with pytest.raises(GuardError, match="did not kill"):
        Launcher("/bin/false", 10).do("kill", "cp-1")
    with pytest.raises(GuardError, match="did not start"):
        Launcher(str(tmp_path / "nothing"), 10).do("start", "cp-1")
    Launcher("/bin/true", 10).do("kill", "cp-1")
    assert Launcher("python3 -m lab", 10).line("start", "cp-1") == "python3 -m lab node start cp-1"


def test_a_journal_of_an_earlier_release_is_read(nodes: Path) -> None:
    """The stage that earlier releases called needs-human is the one of today, and can be rolled back."""
    driver = Nodes(nodes)
    driver.blind = True
    with pytest.raises(GuardError), started(nodes, driver) as engine, engine.acting("node", "cp-1"):
        pass
    lines = path(nodes).read_bytes().splitlines()
    body = lines[-1].rpartition(b"\t")[0].replace(b"manual-intervention", b"needs-human")
    lines[-1] = body + f"\t{zlib.crc32(body):08x}".encode()
    path(nodes).write_bytes(b"\n".join([*lines, b""]))
    assert b"needs-human" in path(nodes).read_bytes()
    assert read_journal(path(nodes))[0].stage is Stage.MANUAL_INTERVENTION
    assert resumed(nodes) == ["cp-1"]
    assert all_on(nodes)
