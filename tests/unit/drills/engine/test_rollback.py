"""The watchdog and the commands of drills: no matter who dies, and how, what was broken is put back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner

from assay import cli
from assay.cli import drill as drill_commands
from assay.drills.engine import engine, watchdog
from assay.drills.engine.engine import roll_back
from assay.drills.engine.journal import HeldError, Journal, Stage, Undo, path_of
from assay.drills.engine.standing import standing
from assay.drills.engine.watchdog import after
from assay.drills.restore.records import Records
from assay.drills.restore.result import PARTS, Restore
from assay.drills.specs import DRILLS
from assay.errors import GuardError


class Nodes:
    """Nodes are files: there is on."""

    blind = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def inject(self, node: str) -> float:
        (self.folder / node).unlink()
        return 0.0

    def ensure_undone(self, node: str) -> None:
        (self.folder / node).touch()

    def is_undone(self, node: str) -> bool:
        return not self.blind and (self.folder / node).exists()

    def by_hand(self, node: str) -> str:
        return f"touch {node}"


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - its file alone is asked
    """A profile beside which a journal may lie, of a stack whose nodes are files."""
    monkeypatch.setattr(engine, "driver_of", lambda *_: Nodes(tmp_path))
    return type("Profile", (), {"file": tmp_path / "stack.toml"})()


def acting(profile: Any) -> Journal:  # noqa: ANN401 - as above
    """Return the journal of a drill that is at it."""
    journal = Journal(path_of(profile))
    journal.enter(Stage.ARMED)
    journal.intend(Undo("node", "cp-1"))
    return journal


def died(profile: Any, how: int) -> int:  # noqa: ANN401 - as above
    """Return the PID of a drill that wrote down an undo and then died of a signal."""
    child = os.fork()
    if child == 0:
        acting(profile)
        os.kill(os.getpid(), how)
        os._exit(1)
    os.waitpid(child, 0)
    return child


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_what_a_dead_drill_left_is_put_back(profile: Any, tmp_path: Path, how: int) -> None:  # noqa: ANN401
    died(profile, how)
    found = standing(profile)
    assert (found.stage, found.pending, found.running) == (Stage.ACTING, (Undo("node", "cp-1"),), False)
    assert found.next == "assay drill rollback"
    assert roll_back(profile) == ["cp-1"]
    assert (tmp_path / "cp-1").exists()
    assert (standing(profile).stage, standing(profile).pending) == (Stage.CLOSED, ())
    assert roll_back(profile) == []


def test_nothing_is_put_back_under_a_running_drill(profile: Any) -> None:  # noqa: ANN401
    with closing(acting(profile)):
        found = standing(profile)
        assert (found.stage, found.running, found.next) == (Stage.ACTING, True, "")
        with pytest.raises(HeldError):
            roll_back(profile)


def test_no_drill_ever_ran(profile: Any) -> None:  # noqa: ANN401
    assert standing(profile).stage is Stage.CLOSED
    assert roll_back(profile) == []
    assert not path_of(profile).exists()


def test_what_does_not_come_back_stays_in_the_journal(
    profile: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    died(profile, signal.SIGKILL)
    monkeypatch.setattr(Nodes, "blind", True)
    with pytest.raises(GuardError, match="touch cp-1"):
        roll_back(profile)
    assert (standing(profile).stage, standing(profile).next) == (
        Stage.MANUAL_INTERVENTION,
        "assay drill rollback",
    )


def test_status_shows_the_stage_and_the_next_command(
    profile: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drill_commands, "find_profile", lambda _: profile)
    for how, code, words in (
        (lambda: None, 0, ["closed"]),
        (lambda: died(profile, signal.SIGKILL), 1, ["acting", "node cp-1", "next: assay drill rollback"]),
        (lambda: roll_back(profile), 0, ["closed"]),
    ):
        how()
        done = CliRunner().invoke(cli.main, ["drill", "status"])
        assert (done.exit_code, [word in done.output for word in words]) == (code, [True] * len(words))


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the drill's process often."""
    monkeypatch.setattr(watchdog, "WATCH_PERIOD_S", 0.05)


def sleeper(seconds: float = 60, first: str = "") -> tuple[subprocess.Popen[bytes], str]:
    """Return a process that has begun to sleep, and how the watchdog names it."""
    code = f"import signal, time\n{first}\nprint(flush=True)\ntime.sleep({seconds})"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    return process, f"{process.pid}:{psutil.Process(process.pid).create_time()}"


def test_the_watchdog_waits_for_the_end() -> None:
    process, holder = sleeper(0.6)
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


@pytest.mark.parametrize("first", ["", "signal.signal(15, signal.SIG_IGN)"], ids=["told", "killed"])
def test_a_drill_that_never_ends_is_ended(first: str) -> None:
    process, holder = sleeper(first=first)
    after(holder, 0.1, 0.4)
    assert process.wait(timeout=5) in (-signal.SIGTERM, -signal.SIGKILL)


def test_each_drill_is_judged_by_a_control() -> None:
    root = Path(__file__).parents[4]
    for known in DRILLS.values():
        word = known.control.lower().replace("-", "_")
        assert list(root.glob(f"acceptance/*/test_{word}.py")), known.control


def test_the_commands_say_what_is_wrong(tmp_path: Path) -> None:
    missing = str(tmp_path / "no.toml")
    for words in (["plan"], ["status"], ["rollback"], ["run", "etcd"]):
        done = CliRunner().invoke(cli.main, ["drill", *words, "--stack", missing])
        assert (done.exit_code, "cannot be read" in done.output) == (1, True), done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_told_once_and_waited_for(tmp_path: Path, number: int) -> None:
    """Only the command line is told; the run hears of it and takes its time; the command line outlives it."""
    done, ready = tmp_path / "put-back", tmp_path / "ready"
    child = "import pathlib, signal, time\ntold = []\n"
    child += f"signal.signal({int(number)}, lambda n, _: told.append(n))\n"
    child += f"pathlib.Path({str(ready)!r}).touch()\n"
    child += "end = time.time() + 20\nwhile not told and time.time() < end: time.sleep(0.05)\n"
    child += f"time.sleep(0.5)\npathlib.Path({str(done)!r}).write_text(str(len(told)))\n"
    code = f"import signal; signal.signal({int(number)}, signal.default_int_handler)\n"
    code += f"from assay.cli.child import wait_for; wait_for([{sys.executable!r}, '-c', {child!r}], {{}})"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 20
    while not ready.exists() and time.monotonic() < end:
        time.sleep(0.05)
    parent.send_signal(number)
    said, _ = parent.communicate(timeout=20)
    assert done.read_text() == "1"
    assert parent.returncode == 128 + number
    assert "interrupted" in said


def test_the_largest_size_is_said_by_the_records(
    profile: Any,  # noqa: ANN401
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(drill_commands, "find_profile", lambda _: profile)
    monkeypatch.setenv("ASSAY_REPORTS", str(tmp_path))
    profile.name, profile.cluster_uid = "lab", "uid"
    parts = dict.fromkeys(PARTS, 0.0)
    for size, seconds in ((10e6, 11.0), (20e6, 12.1), (40e6, 13.9), (80e6, 18.0)):
        restore = Restore("vault", 0.0, {**parts, "restore": seconds}, int(size), 1.0, 0, True, "L3")
        Records.from_profile(profile).add(restore)
    done = CliRunner().invoke(cli.main, ["drill", "capacity"])
    assert done.exit_code == 0, done.output
    assert "vault: 80 MB in 18.0 s" in done.output
    assert "GB by 4 restores of up to 80 MB" in done.output
