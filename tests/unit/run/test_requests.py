"""What a run sent: counted for each judgement, in the evidence, and listed for the platform's owner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from assay.cli.report import requests_command
from assay.run.past import read_past_run
from assay.run.requests import ITSELF, merged, requests_lines, requests_of
from tests.unit.support.catalogue import Toy


ASKS = """
from assay.effect import Effect
from assay.probes.guard import Guard, Request

@pytest.mark.control("{id}")
def test_things(stack, control):
    guard = Guard(Effect.{effect})
    for _ in range(3):
        guard.admit(Request("kubernetes", "list", "pods"))
    guard.admit(Request("kubernetes", "create", "pods", Effect.{effect}))
    control.population(["one"])
    assert not control.found
"""


def asking(name: str, effect: str) -> str:
    return ASKS.replace("{effect}", effect).replace("{id}", name)


def run(pytester: pytest.Pytester, *words: str) -> Path:
    pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml", *words)
    (path,) = (pytester.path / "reports" / "evidence").glob("*.jsonl")
    return path


def test_requests_stand_in_the_evidence_and_in_a_list(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01", test=asking("NET-01", "READS"))
    toy.trio("NET-02", test=asking("NET-02", "DRY_RUN"))
    past = read_past_run(run(pytester))
    rows = {(one.verb, one.effect): (one.count, one.askers) for one in requests_of(past)}
    both = ("NET-01 static", "NET-02 static")
    assert rows["list", "reads"] == (6, both)
    assert rows["create", "dry-run"] == (1, ("NET-02 static",))
    document = json.loads((pytester.path / "reports" / f"{past.run}.requests.json").read_text())
    assert document["user_agent"] == f"assay/{past.run}"
    assert (document["sent"], document["changes"]) == (8, 0)
    assert requests_lines(past)[-1].endswith("8 requests, none of them changes anything")


def test_workers_send_their_counts_along(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01", test=asking("NET-01", "READS"))
    toy.trio("NET-02", test=asking("NET-02", "READS"))
    past = read_past_run(run(pytester, "-n", "2"))
    assert sum(one.count for one in requests_of(past) if one.askers != (ITSELF,)) == 8


@pytest.mark.parametrize(("effect", "code", "says"), [
    ("DRY_RUN", 0, "none of them changes anything"), ("WRITES", 1, "1 may have changed something"),
])  # fmt: skip
def test_the_command_says_whether_anything_was_changed(
    pytester: pytest.Pytester, toy: Toy, monkeypatch: pytest.MonkeyPatch, effect: str, code: int, says: str
) -> None:
    toy.trio("NET-01", test=asking("NET-01", effect))
    monkeypatch.setenv("ASSAY_REPORTS", str(pytester.path / "reports"))
    run(pytester)
    result = CliRunner().invoke(requests_command, [])
    assert result.exit_code == code
    assert result.output.splitlines()[-1].endswith(says)


def test_a_run_that_is_not_there_is_no_clean_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_REPORTS", str(tmp_path))
    assert CliRunner().invoke(requests_command, []).exit_code == 4


def test_counts_of_one_kind_are_added_up() -> None:
    one, other = ("vault", "read", "sys/health", "reads", 2), ("s3", "GetObject", "b", "reads", 1)
    assert merged([one, other, one]) == (other, (*one[:4], 4))
    assert merged([]) == ()
