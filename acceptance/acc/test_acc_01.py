"""ACC-01: the public API answers within the limit at the declared peak."""

import pytest

from assay.errors import AssumptionError
from assay.load.verdict import judge_load, require_decided
from assay.model import Record
from assay.stack import LoadStack


@pytest.mark.control("ACC-01")
def test_public_api_answers_in_time_at_peak(stack: LoadStack, control: Record) -> None:
    """Arrivals come at the peak rate whether or not earlier ones were answered; each path is judged."""
    limit, share = control.limit("threshold") / 1000, control.limit("share_over")
    plan = stack.load.plan(control.limit("peak_rps"))
    replies = {path: stack.http.get(path) for path in plan.paths}
    for reply in replies.values():
        why = "is there a login in headers under [api]?" if reply.status in {401, 403} else "before any load"
        control.assume(reply.status == 200, f"{reply.ref} answers {reply.status}: {why}")
    asked = f"{len(plan.paths)} paths" if len(plan.paths) > 1 else plan.paths[0]
    control.ask(f"{plan.arrivals} x GET {asked} at {plan.rate:g}/s, seed {plan.seed}")
    run = stack.load.run(plan)
    control.population(run.judged, of=plan.judged)
    for path, reply in replies.items():
        judgement = judge_load(run.of(path), limit, share)
        for key, fact in judgement.facts().items():
            control.note(f"{path}: {key}", fact)
        over = control.measured(judgement.share, "ratio", "share_over")
        control.measured(judgement.p95.value * 1000, "ms", "p95")
        try:
            require_decided(judgement)
        except AssumptionError as problem:
            control.unread(reply, problem)
        else:
            if not judgement.passed:
                control.offender(reply, f"{over:.2%} over {limit * 1000:.0f} ms: {judgement.reason}")
    assert not control.found
