"""`assay check` over real runs of pytest: one run, one verdict, and only what is needed the second time."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from assay.cli import main
from assay.run.entries import IDENTITY, Closing, entry_from
from assay.run.evidence import EvidenceLog, read_lines
from assay.run.options import utc_now
from tests.unit.support.catalogue import GOOD, Toy


Capture = pytest.CaptureFixture[str]
OTHER = GOOD.replace('"list"', '"other"')
KILLED = """
import os, signal
@pytest.mark.control("{id}")
def test_things(stack, control):
    os.kill(os.getpid(), signal.SIGKILL)
"""
SLOW = """
import time
@pytest.mark.control("{id}")
def test_things(stack, control):
    (stack.paths.infra[0].path / "running").touch()
    time.sleep(30)
"""


def check(capfd: Capture, *words: str) -> tuple[int, list[str]]:
    """Return the exit code and the lines that were printed; the run itself writes past click."""
    capfd.readouterr()
    done = CliRunner().invoke(main, ["check", "--stack", "toy.toml", "--jobs", "1", *words])
    said = done.output + capfd.readouterr().out
    return done.exit_code, [line for line in said.splitlines() if line.strip()]


def runs() -> list[list[dict[str, Any]]]:
    """Return the lines of every run's evidence, oldest first: ids sort by time."""
    return [read_lines(path) for path in sorted(Path("reports/evidence").glob("*.jsonl"))]


def judged(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(line["control"], line["verdict"]) for line in lines if line["record"] == "judgement"]


def test_a_run_is_one_chain_from_its_opening_to_its_closing(
    toy: Toy, capfd: pytest.CaptureFixture[str]
) -> None:
    toy.policy("NET-03")
    code, lines = check(capfd)
    assert code == 10
    (evidence,) = runs()
    assert [line["record"] for line in evidence] == ["opening", "judgement", "judgement", "closing"]
    assert evidence[0]["scope"] == ["NET-01", "NET-02", "NET-03"]
    assert (evidence[-1]["outcome"], evidence[-1]["code"]) == ("complete", 10)
    assert "UNSURE: 2 of 3 in scope, 3 in the catalogue, 1 not checked" in lines
    assert CliRunner().invoke(main, ["verify", *map(str, Path("reports/evidence").glob("*"))]).exit_code == 0
    run = evidence[0]["run"]
    for name in ("verdicts.json", "summary.txt", "junit.xml", f"{run}.sarif"):
        assert Path("reports", name).is_file()
    document = json.loads(Path("reports/verdicts.json").read_text())
    assert [row["verdict"] for row in document["controls"]] == ["PASS", "PASS", "NOT_CHECKED"]


@pytest.mark.usefixtures("here")
def test_again_judges_only_what_was_not_green_and_says_so(
    toy: Toy, capfd: pytest.CaptureFixture[str]
) -> None:
    toy.trio("NET-02", OTHER)
    toy.write("infra/other", "one bad-two")
    assert check(capfd)[0] == 1
    toy.write("infra/other", "one two")
    code, lines = check(capfd, "--again")
    first, second = runs()
    assert code == 0
    assert judged(first) == [("NET-01", "PASS"), ("NET-02", "FAIL")]
    assert judged(second) == [("NET-02", "PASS")]
    assert (second[0]["joins"], second[0]["again"]) == (first[0]["run"], [["NET-02", "static"]])
    says = f"JOINED: 1 of 2 judgements are of run {first[0]['run']}"
    headers = [line for line in lines if line.startswith("assay: stack toy")]
    assert says in headers[0]
    gates = [line for line in lines if line.startswith("GREEN: 2 of 2 in scope")]
    assert says in gates[-1]
    assert says in second[-1]["gate"]
    done = CliRunner().invoke(main, ["diff", first[0]["run"], second[0]["run"]])
    assert (done.exit_code, "NET-02   FAIL -> PASS" in done.output) == (0, True)
    done = CliRunner().invoke(main, ["diff", second[0]["run"], first[0]["run"]])
    assert (done.exit_code, "turned for the worse (1)" in done.output) == (1, True)
    Path(f"reports/evidence/{first[0]['run']}.jsonl").unlink()
    assert CliRunner().invoke(main, ["diff", second[0]["run"], second[0]["run"]]).exit_code == 4


def edited(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text().replace(old, new))


def aged(hours: int) -> None:
    """Make the last run's evidence that of some hours ago, its chain made anew."""
    (path,) = Path("reports/evidence").glob("*.jsonl")
    then = (utc_now() - datetime.timedelta(hours=hours)).isoformat()
    lines = [{**line, "end": then} if line["record"] == "judgement" else line for line in read_lines(path)]
    path.unlink()
    identity = {key: value for key, value in lines[0].items() if key in IDENTITY}
    for line in lines:
        log = EvidenceLog(path, identity)
        entry = entry_from(line)
        log.append(replace(entry, head=log.head) if isinstance(entry, Closing) else entry)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("change", "again"),
    [
        pytest.param(lambda toy: None, [], id="nothing"),
        pytest.param(lambda toy: toy.policy("NET-02", more="# tightened\n"), ["NET-02"], id="policy"),
        pytest.param(lambda toy: toy.write("infra/list", "one"), ["NET-01", "NET-02"], id="changed"),
        pytest.param(lambda toy: shutil.rmtree(".git"), ["NET-01", "NET-02"], id="outside-git"),
        pytest.param(lambda toy: aged(25), ["NET-01", "NET-02"], id="old"),
        pytest.param(lambda toy: aged(20), [], id="young"),
        pytest.param(
            lambda toy: edited(Path("toy.toml"), '"lab"', '"lab"\nlabels = { region = "eu" }'),
            ["NET-01", "NET-02"],
            id="profile",
        ),
        pytest.param(
            lambda toy: edited(Path("toy.toml"), "[stack]", '[scope]\ncontrols = ["NET-01"]\n[stack]'),
            [],
            id="scope",
        ),
    ],
)
def test_what_rests_on_something_else_today_is_judged_again(
    toy: Toy, capfd: Capture, change: Callable[[Toy], object], again: list[str]
) -> None:
    check(capfd)
    change(toy)
    code, _ = check(capfd, "--again")
    evidence = runs()[-1]
    assert (code, [name for name, _ in judged(evidence)]) == (0, again)
    assert [name for name, _ in evidence[0]["again"]] == again
    assert "JOINED" in evidence[-1]["gate"]


@pytest.mark.usefixtures("here")
def test_again_needs_a_whole_run_of_the_last_day(toy: Toy, capfd: Capture) -> None:
    assert check(capfd, "--again") == (
        4,
        ["ERROR: no earlier run of toy to join - run assay check without --again first"],
    )
    check(capfd)
    (path,) = Path("reports/evidence").glob("*.jsonl")
    whole = path.read_text()
    path.write_text("".join(whole.splitlines(keepends=True)[:-1]))
    code, lines = check(capfd, "--again")
    assert (code, "cut off did not end" in lines[-1]) == (4, True)


def test_an_interrupted_run_is_closed_as_one(toy: Toy) -> None:
    toy.trio("NET-02", SLOW)
    words = [sys.executable, "-m", "assay.cli", "check", "--stack", "toy.toml", "--jobs", "1"]
    run = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    end = time.monotonic() + 60
    while not Path("infra/running").exists() and time.monotonic() < end:
        time.sleep(0.05)
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGTERM
    (evidence,) = runs()
    assert evidence[-1]["record"] == "closing"
    assert evidence[-1]["outcome"] == "ended early"
    assert ("NET-02", "ERROR") in judged(evidence) or evidence[-1]["gate"].startswith("UNSURE")


def test_a_part_that_is_killed_is_said_and_its_verdicts_are_errors(toy: Toy, capfd: Capture) -> None:
    toy.trio("NET-02", KILLED)
    code, lines = check(capfd)
    assert code == 4
    assert "the part of tier read ended with signal 9: its verdicts are missing" in lines
    (evidence,) = runs()
    assert (evidence[-1]["outcome"], judged(evidence)) == ("ended early", [("NET-01", "PASS")])
    assert any(line.startswith("UNSURE: 1 of 2") for line in lines)
    text = Path("reports/summary.txt").read_text()
    assert "no verdict was recorded for tier static" in text
    assert "the run ended early: verdicts may be missing" in text
