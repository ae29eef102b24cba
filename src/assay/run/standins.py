"""Which stand-ins a judgement went through, and what production makes of it."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from assay.config.profile import Profile
from assay.model import Verdict
from assay.run.entries import Judgement


def with_standins(found: Judgement, profile: Profile, asked: Set[str]) -> Judgement:
    """Return a judgement with the stand-ins that it went through.

    In production a PASS through one is an ERROR that names it: what was judged is not the platform.

    Args:
        found: the judgement.
        profile: of the stack.
        asked: the systems that the test asked.
    """
    used = [one for one in profile.standins if one.touches(found.control, asked)]
    found = replace(found, standins=tuple(sorted({one.part for one in used})))
    if not used or profile.kind != "production" or found.verdict != Verdict.PASS:
        return found
    parts = "; ".join(f"{one.part} ({one.reason})" for one in used)
    return replace(
        found,
        verdict=str(Verdict.ERROR),
        reason=f"passed only through a stand-in: {parts}",
        remedy="put the real part in its place and take it out of [[standins]], then judge again",
    )
