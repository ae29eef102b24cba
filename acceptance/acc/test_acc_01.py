"""ACC-01: the public API answers within the limit at the declared peak."""

import pytest

from assay.load.verdict import judge_load, require_decided
from assay.model import Record
from assay.stack import LoadStack


@pytest.mark.control("ACC-01")
def test_public_api_answers_in_time_at_peak(stack: LoadStack, control: Record) -> None:
    """Arrivals come at the peak rate whether or not earlier ones were answered."""
    limit, share = control.limit("threshold") / 1000, control.limit("share_over")
    reply = stack.http.get()
    control.assume(reply.status == 200, f"{reply.ref} answers {reply.status} before any load")
    plan = stack.load.plan(control.limit("peak_rps"))
    control.ask(f"{plan.arrivals} x {reply.ref} at {plan.rate:g}/s, seed {plan.seed}")
    run = stack.load.run(plan)
    control.population(run.judged, of=plan.judged)
    judgement = judge_load(run, limit, share)
    for key, fact in judgement.facts().items():
        control.note(key, fact)
    over = control.measured(judgement.share, "ratio", "share_over")
    control.measured(judgement.p95.value * 1000, "ms", "p95")
    require_decided(judgement)
    if not judgement.passed:
        control.offender(reply, f"{over:.2%} over {limit * 1000:.0f} ms: {judgement.reason}")
    assert not control.found
