"""The watchdog and the commands of drills: whoever dies, and however, what was broken is put back."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from assay import cli
from assay.drills import rollback
from assay.drills.journal import HeldError, Journal, Undo
from assay.drills.known import DRILLS
from assay.drills.rollback import NODES, Way, after, left, path_of, roll_back
from assay.errors import GuardError


class Nodes:
    """Nodes are files: there is on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def lose(self, node: str) -> None:
        (self.folder / node).unlink()

    def ensure_on(self, node: str) -> None:
        (self.folder / node).touch()

    def on(self, node: str) -> bool:
        return (self.folder / node).exists()


@pytest.fixture
def profile(tmp_path: Path) -> Any:  # noqa: ANN401 - stands for a profile, of which the file alone is asked
    """A profile beside which a journal may lie."""
    return type("Profile", (), {"file": tmp_path / "stack.toml"})()


@pytest.fixture
def way(tmp_path: Path) -> Way:
    """A way back that touches files."""
    nodes = Nodes(tmp_path)
    return dataclasses.replace(NODES, way=lambda _: (nodes, nodes.on))


def died(profile: Any, way: Way, how: int) -> int:  # noqa: ANN401 - as above
    """Return the PID of a drill that wrote down an undo and then died of a signal."""
    child = os.fork()
    if child == 0:
        journal = Journal(path_of(profile, way))
        journal.intend(Undo("cp-1"))
        os.kill(os.getpid(), how)
        os._exit(1)
    os.waitpid(child, 0)
    return child


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_what_a_dead_drill_left_is_put_back(profile: Any, way: Way, tmp_path: Path, how: int) -> None:  # noqa: ANN401
    died(profile, way, how)
    assert left(profile, way) == ["cp-1"]
    assert roll_back(profile, way) == ["cp-1"]
    assert (tmp_path / "cp-1").exists()
    assert left(profile, way) == roll_back(profile, way) == []


def test_nothing_is_put_back_under_a_running_drill(profile: Any, way: Way) -> None:  # noqa: ANN401
    journal = Journal(path_of(profile, way))
    journal.intend(Undo("cp-1"))
    with pytest.raises(HeldError):
        left(profile, way)
    with pytest.raises(HeldError):
        roll_back(profile, way)
    journal.close()


def test_no_drill_ever_ran(profile: Any, way: Way) -> None:  # noqa: ANN401
    assert left(profile, way) == []


def test_what_does_not_come_back_stays_in_the_journal(profile: Any, way: Way, tmp_path: Path) -> None:  # noqa: ANN401
    died(profile, way, signal.SIGKILL)
    broken = dataclasses.replace(way, way=lambda _: (Nodes(tmp_path), lambda _: False))
    with pytest.raises(GuardError, match="not undone"):
        roll_back(profile, broken)
    assert left(profile, way) == ["cp-1"]


def sleeper(code: str = "import time; time.sleep(60)") -> tuple[subprocess.Popen[bytes], str]:
    process = subprocess.Popen([sys.executable, "-c", code])
    return process, f"{process.pid}:{psutil.Process(process.pid).create_time()}"


def test_the_watchdog_waits_for_the_end() -> None:
    process, holder = sleeper("import time; time.sleep(1)")
    begun = time.monotonic()
    after(holder, 30)
    assert 0.3 < time.monotonic() - begun < 10
    process.wait()


def test_another_process_of_that_number_is_not_waited_for() -> None:
    process, holder = sleeper()
    begun = time.monotonic()
    after(f"{holder.partition(':')[0]}:1.0", 30)
    assert time.monotonic() - begun < 5
    assert process.poll() is None
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    "code",
    ["import time; time.sleep(60)", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"],
)
def test_a_drill_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(rollback, "GRACE", 2.0)
    process, holder = sleeper(code)
    time.sleep(0.5)
    after(holder, 0.5)
    assert process.wait(timeout=5) in (-signal.SIGTERM, -signal.SIGKILL)


def test_each_drill_is_judged_by_a_control() -> None:
    root = Path(__file__).parents[2]
    for known in DRILLS.values():
        word = known.control.lower().replace("-", "_")
        assert list(root.glob(f"acceptance/*/test_{word}.py")), known.control


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.toml")
    for words in (["plan"], ["status"], ["rollback"], ["run", "etcd"]):
        done = CliRunner().invoke(cli.main, ["drill", *words, "--stack", missing])
        assert (done.exit_code, "cannot be read" in done.output) == (1, True), done.output


def test_an_interrupted_run_is_waited_for(tmp_path: Path) -> None:
    """Both are told, as by a terminal; the run takes its time, and the command line outlives it."""
    done = tmp_path / "put-back"
    child = "import pathlib, time\ntry:\n    time.sleep(30)\nexcept KeyboardInterrupt:\n    time.sleep(1)\n"
    child += f"    pathlib.Path({str(done)!r}).touch()\n"
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += f"from assay.cli import _waited_for; _waited_for([sys.executable, '-c', {child!r}], {{}})"
    parent = subprocess.Popen(
[sys.executable, "-c", code],
        start_new_session=True, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(1.5)
    os.killpg(parent.pid, signal.SIGINT)
    _, said = parent.communicate(timeout=20)
    assert done.exists()
    assert parent.returncode == 1
    assert "Abort" in said
