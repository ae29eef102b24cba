"""Nodes that take minutes to go and to come, on a clock that is moved by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from assay import polling
from assay.config.drill_access import DrillAccess
from assay.drills import controlplane
from assay.drills.controlplane import ControlPlaneDrill
from assay.drills.engine import clock
from assay.drills.engine.engine import Engine
from assay.drills.engine.journal import Journal, Stage, read_journal
from assay.drills.faults.launcher import Launcher
from assay.drills.faults.nodes import Nodes
from assay.errors import GuardError
from assay.probes.talos.facts import Machine


BOOT_S, CALL_S = 400.0, 240.0
CP = [Machine(f"cp-{n}", f"10.0.1.1{n}", "controlplane") for n in (1, 2, 3)]


class Machines:
    """Control planes that boot for minutes, and their launcher, whose calls take minutes too."""

    def __init__(self) -> None:
        self.at, self.since, self.calls = 1000.0, dict[str, float](), list[str]()
        self.machines = tuple(CP)

    def monotonic(self) -> float:
        return self.at

    def time(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += max(seconds, 0.01)

    def do(self, verb: str, name: str) -> None:
        """As the launcher: it returns when the power is off, or when switching it on was accepted, once."""
        self.at += CALL_S
        self.calls.append(f"{verb} {name}")
        if verb == "kill":
            self.since[name] = float("inf")
        elif self.since.get(name) == float("inf"):
            self.since[name] = self.at

    def line(self, verb: str, name: str) -> str:
        return f"power node {verb} {name}"

    def machine(self, name: str) -> Machine:
        return next(one for one in CP if one.name == name)

    def answers(self, node: Machine) -> bool:
        return self.at >= self.since.get(node.name, 0.0) + (BOOT_S if node.name in self.since else 0.0)

    def holds(self) -> bool:
        return all(self.answers(node) for node in CP)

    wrong = list


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Machines:
    found = Machines()
    for module in (polling, clock):
        monkeypatch.setattr(module, "time", found)
    return found


def driver(slow: Machines, **times: float) -> Nodes:
    return Nodes(slow, slow, DrillAccess(**times))  # type: ignore[arg-type]


@contextmanager
def engine(path: Path, nodes: Nodes) -> Iterator[Engine]:
    with closing(Journal(path)) as journal:
        found = Engine(journal, lambda _: nodes)
        found.begin()
        yield found


def test_a_launcher_and_a_boot_of_minutes_are_waited_for(slow: Machines, tmp_path: Path) -> None:
    """With the default times: calls of four minutes, a boot of seven."""
    nodes = driver(slow)
    with engine(tmp_path / "journal.jsonl", nodes) as found, found.acting("node", "cp-1"):
        assert not slow.answers(CP[0])
    assert slow.answers(CP[0])
    assert slow.calls == ["kill cp-1", "start cp-1"]
    assert slow.at >= 1000 + 2 * CALL_S + BOOT_S


def test_a_boot_that_takes_longer_than_declared_is_not_back(slow: Machines, tmp_path: Path) -> None:
    with engine(tmp_path / "journal.jsonl", driver(slow, boot_s=BOOT_S / 2)) as found:
        with (
            pytest.raises(GuardError, match="node cp-1 did not come back: power node start cp-1"),
            found.acting("node", "cp-1"),
        ):
            pass
        assert read_journal(tmp_path / "journal.jsonl")[0].stage is Stage.MANUAL_INTERVENTION
        slow.at += BOOT_S
        assert found.resume() == ["cp-1"]


def test_the_outage_is_counted_from_when_the_node_is_gone(
    slow: Machines, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Writes while a slow launcher is still at it do not count as writes without the node."""
    acked: list[float] = []

    def acked_since(moment: float) -> int:
        acked.append(moment)
        return 100 if slow.at > moment else 0

    profile = SimpleNamespace(file=tmp_path / "stack.toml", drill=DrillAccess())
    ready = SimpleNamespace(apiservers_ready=lambda: True)
    drill = ControlPlaneDrill(profile, slow, ready)  # type: ignore[arg-type]
    ledger = SimpleNamespace(acked_since=acked_since)
    begun = slow.at
    with engine(tmp_path / "j", driver(slow)) as found:
        loss = drill._lose(CP[0], True, found, ledger)  # type: ignore[arg-type]
    assert acked[0] == begun + CALL_S + controlplane.OUTAGE_MIN_S / 2
    assert loss.returned - (begun + CALL_S) >= controlplane.OUTAGE_MIN_S
    assert loss.rejoined is not None


def test_a_call_that_does_not_end_is_ended(tmp_path: Path) -> None:
    """With a real program: it is killed, with what it started, when its time is up."""
    script, left = tmp_path / "power", tmp_path / "left"
    script.write_text(f"#!/bin/sh\n(sleep 3; touch {left}) &\nsleep 60\n")
    script.chmod(0o755)
    begun = time.monotonic()
    with pytest.raises(GuardError, match="did not kill cp-1: no end after 1 s - check launcher"):
        Launcher(str(script), 1.0).do("kill", "cp-1")
    assert time.monotonic() - begun < 10
    time.sleep(3)
    assert not left.exists()


def test_what_a_launcher_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The contract: words, environment, no input; only a failure's last line is shown."""
    script, seen = tmp_path / "power", tmp_path / "seen"
    script.write_text(f'#!/bin/sh\necho "$@ $POWER_TOKEN [$(cat)]" > {seen}\necho chatter\n[ "$3" != no ]\n')
    script.chmod(0o755)
    monkeypatch.setenv("POWER_TOKEN", "t")
    Launcher(f"env EXTRA='a b' {script}", 10).do("start", "cp-1")
    assert seen.read_text() == "node start cp-1 t []\n"
    script.write_text("#!/bin/sh\necho one >&2\necho 'quota exceeded' >&2\nexit 3\n")
    with pytest.raises(GuardError) as caught:
        Launcher(str(script), 10).do("start", "cp-1")
    assert str(caught.value) == "the launcher did not start cp-1: quota exceeded - start the node by hand"
