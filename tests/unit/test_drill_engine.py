"""The way back of a drill.

On disk before the act, taken on every exit, and after kill -9 at every boundary.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.drills import fault
from assay.drills.journal import Journal, Undo
from assay.errors import GuardError


BOUNDARIES = (
    "before journal",
    "after journal",
    "before act",
    "after act",
    "in body",
    "before undo",
    "after undo",
    "after all",
)


class FakeDriver:
    """Nodes are files: there is on. `at` is called at every boundary."""

    def __init__(self, folder: Path, at: Callable[[str], None] = lambda _: None) -> None:
        self.folder, self.at, self.fails = folder, at, 0

    def lose(self, node: str) -> None:
        self.at("before act")
        (self.folder / node).unlink()
        self.at("after act")

    def ensure_on(self, node: str) -> None:
        self.at("before undo")
        if self.fails:
            self.fails -= 1
            raise GuardError("not yet")
        (self.folder / node).touch()
        self.at("after undo")

    def is_on(self, node: str) -> bool:
        return (self.folder / node).exists()


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A folder with one node that is on."""
    (tmp_path / "nodes").mkdir()
    (tmp_path / "nodes/cp-1").touch()
    return tmp_path / "nodes"


def drill(nodes: Path, at: Callable[[str], None]) -> None:
    """One whole loss, with every boundary announced."""
    driver = FakeDriver(nodes, at)
    at("before journal")
    journal = Journal(nodes.parent / "journal.jsonl")
    at("after journal")
    with fault.lost(journal, driver, "cp-1", driver.is_on):
        at("in body")
    at("after all")


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_killed_at(boundary: str, nodes: Path) -> None:
    """After SIGKILL at any boundary the next start brings the node back and the journal is clean."""

    def at(here: str) -> None:
        if here == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    child = os.fork()
    if child == 0:
        drill(nodes, at)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    driver, journal = FakeDriver(nodes), Journal(nodes.parent / "journal.jsonl")
    fault.resume(journal, driver, driver.is_on)
    assert driver.is_on("cp-1")
    assert journal.pending == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("boundary", ["after act", "in body", "before undo", "after undo"])
def test_signalled_at(boundary: str, number: int, nodes: Path) -> None:
    """A signal at any moment ends the drill, never the undo."""

    def at(here: str) -> None:
        if here == boundary:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt), fault.interruptible():
        drill(nodes, at)
    assert (nodes / "cp-1").exists()
    assert Journal(nodes.parent / "journal.jsonl").pending == []


def test_nothing_is_broken_without_a_journal(nodes: Path) -> None:
    """A full disk: the intent cannot be written, so the act never happens."""
    driver, journal = FakeDriver(nodes), Journal(nodes.parent / "journal.jsonl")
    journal._file.close()
    journal._file = Path("/dev/full").open("ab", buffering=0)  # noqa: SIM115
    with (
        pytest.raises(GuardError, match="cannot be written"),
        fault.lost(journal, driver, "cp-1", driver.is_on),
    ):
        pytest.fail("the body must not run")
    assert driver.is_on("cp-1")


def test_undo_is_retried_and_kept(nodes: Path) -> None:
    """Two failures are retried; a node that never returns stays in the journal and is an error."""
    driver, journal = FakeDriver(nodes), Journal(nodes.parent / "journal.jsonl")
    driver.fails = 2
    with fault.lost(journal, driver, "cp-1", driver.is_on):
        pass
    assert journal.pending == []
    with (
        pytest.raises(GuardError, match="did not come back"),
        fault.lost(journal, driver, "cp-1", lambda _: False),
    ):
        pass
    assert [undo for _, undo in journal.pending] == [Undo("cp-1")]


def test_one_drill_at_a_time(tmp_path: Path) -> None:
    """The second one is refused."""
    first = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(GuardError, match="another drill"):
        Journal(tmp_path / "journal.jsonl")
    first.close()
    Journal(tmp_path / "journal.jsonl").close()


def test_torn_last_line_is_dropped_and_damage_refused(tmp_path: Path) -> None:
    """Every cut of the last line reads as the journal before it; a change further up is damage."""
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.intend(Undo("cp-1"))
    before = path.read_bytes()
    journal.intend(Undo("cp-2"))
    journal.close()
    whole = path.read_bytes()
    for cut in range(len(before), len(whole)):
        path.write_bytes(whole[:cut])
        again = Journal(path)
        assert [undo.target for _, undo in again.pending] == ["cp-1"]
        assert again.intend(Undo("cp-3")) == 2
        again.close()
    path.write_bytes(whole.replace(b"cp-1", b"cp-9"))
    with pytest.raises(GuardError, match="damaged"):
        Journal(path)


def test_launcher_complains(tmp_path: Path) -> None:
    """A launcher that fails or is not there says so."""
    with pytest.raises(GuardError, match="did not kill"):
        fault.Launcher("/bin/false").lose("cp-1")
    with pytest.raises(GuardError, match="did not start"):
        fault.Launcher(str(tmp_path / "nothing")).ensure_on("cp-1")
    fault.Launcher("/bin/true").lose("cp-1")
