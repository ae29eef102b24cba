"""Runs over a small catalogue, for the tests of the views: every verdict, and all that surrounds one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from assay.catalogue import Catalogue, SpecFinding
from assay.model import Control, Tier
from assay.run.entries import Closing, Judgement, Opening
from assay.run.evidence import Chain
from assay.run.outcome import Outcome, case_outcome
from assay.run.past import PastRun


NAMES = ("NET-01", "NET-02", "NET-03", "NET-04", "NET-05", "NET-06", "NET-07")
OWNERS = ("Infra", "Security")
AT = "2026-11-28T10:00:00.000+00:00"


def control(name: str) -> Control:
    owner = OWNERS[int(name[-1]) % 2]
    return Control(
        name,
        f"The statement of {name}.",
        "Section: Claim; Other: More",
        owner,
        (Tier.STATIC,),
        f"Fix {name}.",
    )


CATALOGUE = Catalogue(
    Path(),
    {name: control(name) for name in NAMES},
    (SpecFinding("S1", "The text says so.", "It is not so.", "seen", "NET-01"),),
    (),
)


def judged(name: str, verdict: str, *offenders: tuple[str, str], **more: Any) -> Judgement:  # noqa: ANN401
    return Judgement(
        name, "d", "Infra", "static", f"test_{name}", verdict, start=AT, end=AT, seconds=1.5, looked_at=3,
        expected=3, offenders=offenders, found=len(offenders), run="r", **more,
    )  # fmt: skip


JUDGED = (
    judged("NET-01", "PASS", standins=("gateway",)),
    judged("NET-02", "FAIL", ("File infra/main.tf:12", "is open"), reason="1 offender", remedy="Close it."),
    judged("NET-03", "FAIL", ("Pod a/b", "is bad"), waived="Pod a/*: waived by Ann", reason="1 offender"),
    judged("NET-04", "ERROR", reason="403", remedy="Grant list."),
)


def outcome(*judgements: Judgement, joined: str = "", **opening: Any) -> Outcome:  # noqa: ANN401
    scope = NAMES[:6]
    pairs = tuple((one.control, one.tier) for one in judgements)
    first = Opening(AT, pairs, "", (("NET-06", "static", "writes", "its effect is writes"),), (), scope,
                    (("NET-05", "no such part here"),), (("gateway", "Caddy", "api"),),
                    (("NET-02", "limit = 3"),), joins_says=joined, **opening)  # fmt: skip
    identity = {"stack": "toy", "stack_kind": "lab", "cluster_uid": "u", "revisions": {"infra": "abc"}}
    closing = Closing(AT, len(judgements) + 1, "h", "complete", "", 1, ("waiver for NET-01 (*): not needed",))
    past = PastRun("r", Path("r.jsonl"), identity, first, judgements, closing, Chain(9, "h", closed=True))
    return case_outcome(past, CATALOGUE)
