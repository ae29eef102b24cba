"""What a run may do to a platform: what is not allowed is left out, said first and last, and never passes."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import pytest

from assay.config.allow import Allow
from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import UndeclaredError
from assay.load.generator import Load
from assay.run.allowance import allowance_of
from assay.run.evidence import read_lines
from tests.unit.support.catalogue import GOOD, Toy


NOW = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PLATFORM = Profile(Path("p.toml"), "p", "production")
OPEN = Allow((Effect.DECOY,), NOW - HOUR, NOW + HOUR, "jane", "release 1.4")
MORE = 'effects = { static = "decoy" }\n'
PARTLY = """
from assay.stack import DecoyStack

@pytest.mark.control("{id}")
def test_things(stack, control):
    things = control.population((stack.paths.infra[0].path / "list").read_text().split())
    control.offenders((f"Thing {{t}}" for t in things if t.startswith("bad")), "is bad")
    if (more := stack.if_allowed(DecoyStack, control, "the attempts")) is not None:
        control.note("tried with", type(more).__name__)
    assert not control.found
"""


def words(*effects: str) -> frozenset[Effect]:
    return frozenset(Effect(effect) for effect in effects)


@pytest.mark.parametrize(("profile", "wanted", "effects", "by"), [
    (PLATFORM, (), ("reads", "dry-run"), "the default outside a lab"),
    (replace(PLATFORM, kind="staging"), (), ("reads", "dry-run"), "the default outside a lab"),
    (replace(PLATFORM, kind="lab"), (), tuple(Effect), "a lab allows everything"),
    (replace(PLATFORM, allow=OPEN), (), ("reads", "dry-run", "decoy"), "jane until 2026-11-28 13:00 UTC"),
    (replace(PLATFORM, allow=replace(OPEN, until=NOW)), (), ("reads", "dry-run"), "[allow] ended on"),
    (replace(PLATFORM, allow=replace(OPEN, begin=NOW + HOUR)), (), ("reads", "dry-run"), "begins on"),
    (replace(PLATFORM, allow=OPEN), ("reads",), ("reads",), "--allow reads, by "),
    (replace(PLATFORM, kind="lab"), ("reads",), ("reads",), "--allow reads, by "),
    (PLATFORM, ("load",), ("reads", "dry-run", "load"), "--allow load, by "),
    (PLATFORM, ("load", "decoy"), ("reads", "dry-run", "decoy", "load"), "--allow load decoy, by "),
    (PLATFORM, ("disrupts",), tuple(Effect), "--allow disrupts, by "),
])  # fmt: skip
def test_what_a_run_may_do(
    profile: Profile, wanted: tuple[str, ...], effects: tuple[str, ...], by: str
) -> None:
    allowance = allowance_of(profile, wanted, NOW)
    assert allowance.effects == words(*effects)
    assert by in str(allowance)


def test_a_window_that_ends_in_mid_run_ends_what_it_allowed() -> None:
    allowance = allowance_of(replace(PLATFORM, allow=OPEN), (), NOW)
    allowance.check(Effect.DECOY, NOW)
    allowance.check(Effect.DRY_RUN, NOW + HOUR)
    with pytest.raises(UndeclaredError, match="ended on 2026-11-28 13:00 UTC, in mid-run"):
        allowance.check(Effect.DECOY, NOW + HOUR)


def test_load_above_the_allowed_rate_is_not_sent() -> None:
    load = Load("https://api", "/", "api", "", max_rps=10.0)
    assert load.plan(10.0).rate == 10.0
    with pytest.raises(UndeclaredError, match="peak of 20/s is more than the 10/s that"):
        load.plan(20.0)


@pytest.fixture
def production(toy: Toy) -> Toy:
    toy.write("toy.toml", toy.root.joinpath("toy.toml").read_text().replace('"lab"', '"production"'))
    return toy


def run(pytester: pytest.Pytester, *words: str) -> tuple[int, str, str]:
    result = pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml", *words)
    text = result.stdout.str()
    lines = [line for line in text.splitlines() if line.strip()]
    return int(result.ret), text, lines[-1]


def verdict(pytester: pytest.Pytester, control: str) -> dict[str, object]:
    document = json.loads((pytester.path / "reports" / "verdicts.json").read_text())
    return next(row for row in document["controls"] if row["id"] == control)


def test_what_is_not_allowed_is_not_checked_and_said_first_and_last(
    pytester: pytest.Pytester, production: Toy
) -> None:
    production.trio("NET-01")
    production.trio("NET-02", more=MORE)
    code, text, last = run(pytester)
    assert code == 10
    said = "left out, not allowed: decoy (NET-02 static)"
    assert last == f"UNSURE: 1 of 2 in scope, 2 in the catalogue, 1 not checked; {said}"
    first = next(line for line in text.splitlines() if line.startswith("assay: stack"))
    assert first.endswith(said)
    assert "assay: allowed: reads, dry-run (the default outside a lab)" in text
    row = verdict(pytester, "NET-02")
    assert row["verdict"] == "NOT_CHECKED"
    assert "its effect is decoy, which is not allowed here" in str(row["reason"])
    assert "--allow decoy" in str(row["reason"])


@pytest.mark.parametrize("how", ["command line", "profile"])
def test_what_is_allowed_is_judged_and_the_evidence_says_by_whom(
    pytester: pytest.Pytester, production: Toy, how: str
) -> None:
    production.trio("NET-02", more=MORE)
    if how == "profile":
        now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        window = f"from = {(now - HOUR).isoformat()}\nuntil = {(now + HOUR).isoformat()}\n"
        allow = f'[allow]\neffects = ["decoy"]\n{window}allowed_by = "jane"\nreason = "release 1.4"\n'
        production.write("toy.toml", production.root.joinpath("toy.toml").read_text() + allow)
    code, _, last = run(pytester, *(["--allow", "decoy"] if how == "command line" else []))
    assert (code, last) == (0, "GREEN: 1 of 1 in scope, 1 in the catalogue, 0 not checked")
    (path,) = (pytester.path / "reports" / "evidence").glob("*.jsonl")
    allowed = str(read_lines(path)[0]["allowed"])
    assert allowed.startswith("reads, dry-run, decoy (")
    assert ("jane until" if how == "profile" else "--allow decoy, by ") in allowed


def test_a_window_that_ended_allows_nothing_and_says_so(pytester: pytest.Pytester, production: Toy) -> None:
    production.trio("NET-02", more=MORE)
    allow = (
        '[allow]\neffects = ["decoy"]\nfrom = 2026-01-01T00:00:00Z\nuntil = 2026-01-02T00:00:00Z\n'
        'allowed_by = "jane"\nreason = "r"\n'
    )
    production.write("toy.toml", production.root.joinpath("toy.toml").read_text() + allow)
    assert run(pytester)[0] == 10
    reason = str(verdict(pytester, "NET-02")["reason"])
    assert "the window of [allow] ended on 2026-01-02 00:00 UTC - set another window under [allow]" in reason


def test_a_part_that_is_not_allowed_keeps_the_control_from_passing(
    pytester: pytest.Pytester, production: Toy
) -> None:
    production.trio("NET-01", test=PARTLY, more='further = { static = "decoy" }\n')
    code, _, last = run(pytester)
    assert (code, verdict(pytester, "NET-01")["verdict"]) == (10, "NOT_CHECKED")
    assert last.endswith("left out, not allowed: decoy (a part of NET-01 static)")
    production.write("infra/list", "one bad-two")
    assert run(pytester)[0] == 1
    production.write("infra/list", "one two")
    assert run(pytester, "--allow", "decoy")[0] == 0


def test_a_tier_that_is_left_out_keeps_the_others_from_passing(
    pytester: pytest.Pytester, production: Toy
) -> None:
    """Files were judged and are good; the drill was not allowed: the control is not accepted."""
    both = GOOD.replace('control("{id}")', 'control("{id}", tier="static")') + GOOD.replace(
        'control("{id}")', 'control("{id}", tier="drill")'
    ).replace("test_things", "test_drill")
    production.trio("NET-01", test=both, tiers='["static", "drill"]')
    code, _, last = run(pytester)
    assert (code, verdict(pytester, "NET-01")["verdict"]) == (10, "NOT_CHECKED")
    assert last.endswith("left out, not allowed: disrupts (NET-01 drill)")
    assert run(pytester, "--tier", "static")[0] == 0


def test_nothing_allowed_is_no_green(pytester: pytest.Pytester, production: Toy) -> None:
    production.trio("NET-02", more=MORE)
    assert run(pytester, "--control", "NET-02")[0] == 10


def test_an_unknown_effect_is_refused(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    assert pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml", "--allow", "all").ret == 4
