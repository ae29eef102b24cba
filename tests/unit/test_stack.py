"""The stack handed to a test has the verbs of the effect that its policy declares, and no more."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest

from assay.catalogue import Case, load_catalogue
from assay.config.profile import Profile
from assay.effect import Effect, RunLimits
from assay.errors import GuardError
from assay.model import Control, Record, Tier, Verdict
from assay.run.verdict import classify
from assay.stack import STACKS, DecoyStack, ReadStack, WriteStack


ROOT = Path(__file__).parents[2]
CATALOGUE = load_catalogue(ROOT)
PROFILE = Profile(Path("p.toml"), "p", "production")
BY_NAME = {kind.__name__: kind for kind in STACKS.values()}


def function_of(case: Case) -> ast.FunctionDef:
    tree = ast.parse(case.path.read_text(encoding="utf-8"))
    return next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == case.function)


def record(**effects: Effect) -> Record:
    control = Control("SEC-25", "s", "s", "o", (Tier.LIVE,), "r", further=effects)  # type: ignore[arg-type]
    return Record(control)


@pytest.mark.parametrize("case", CATALOGUE.cases, ids=lambda case: f"{case.control}-{case.tier}")
def test_a_test_takes_the_stack_of_the_effect_that_its_policy_declares(case: Case) -> None:
    control = CATALOGUE.controls[case.control]
    taken = [ast.unparse(arg.annotation or ast.Constant("")) for arg in function_of(case).args.args
             if arg.arg == "stack"]  # fmt: skip
    assert taken == [STACKS[control.effects[case.tier]].__name__]


@pytest.mark.parametrize("case", CATALOGUE.cases, ids=lambda case: f"{case.control}-{case.tier}")
def test_a_part_with_a_bigger_effect_is_declared_as_such(case: Case) -> None:
    asked = {
        BY_NAME[ast.unparse(call.args[0])].EFFECT
        for call in ast.walk(function_of(case))
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith(".if_allowed")
    }
    further = CATALOGUE.controls[case.control].further.get(case.tier)
    assert asked == ({further} if further else set())


def test_each_effect_has_its_stack_and_bigger_ones_have_more_verbs() -> None:
    assert list(STACKS) == list(Effect)
    reads = set(dir(ReadStack))
    assert not {"decoy", "load", "drills", "post"} & reads
    more = {effect: sorted(set(dir(kind)) - reads) for effect, kind in STACKS.items()}
    assert more[Effect.DECOY] == ["decoy", "lock_trials"]
    assert more[Effect.WRITES] == [*more[Effect.DECOY], "transactions"]
    assert (more[Effect.LOAD], more[Effect.DISRUPTS]) == (["load"], ["drills"])
    assert all(inspect.getdoc(kind) for kind in STACKS.values())


def test_what_a_run_does_not_allow_is_left_out_and_never_passes() -> None:
    control, stack = record(live=Effect.WRITES), ReadStack(PROFILE, further=Effect.WRITES)
    assert stack.if_allowed(WriteStack, control, "logins at Vault") is None
    control.population(["a role"])
    verdict, reason, remedy = classify(control, None)
    assert verdict is Verdict.NOT_CHECKED
    assert reason == (
        "a part was left out: logins at Vault: its effect is writes, which this run does not allow"
    )
    assert "--allow writes" in remedy


def test_an_offender_in_the_rest_of_a_control_stands() -> None:
    control, stack = record(live=Effect.WRITES), ReadStack(PROFILE, further=Effect.WRITES)
    stack.if_allowed(WriteStack, control, "logins at Vault")
    control.offender("VaultRole wide", "admits everybody")
    assert classify(control, AssertionError("assert not"))[0] is Verdict.FAIL


def test_what_a_run_allows_is_handed_out_where_the_policy_declares_it() -> None:
    limits = RunLimits(frozenset(Effect))
    control, stack = record(live=Effect.WRITES), ReadStack(PROFILE, None, limits, Effect.WRITES)
    assert isinstance(stack.if_allowed(WriteStack, control, "logins"), WriteStack)
    with pytest.raises(GuardError, match="SEC-25 declares no further effect decoy"):
        stack.if_allowed(DecoyStack, control, "decoys")
    assert not control.left_out
