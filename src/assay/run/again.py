"""Judging again only what was not green, joined to the earlier run of the same stack."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.errors import AssayError
from assay.model import Tier, Verdict
from assay.run.entries import Judgement
from assay.run.gate import Selection
from assay.run.identity import revisions
from assay.run.options import utc_now
from assay.run.past import Join, PastRun, earlier_runs
from assay.run.waivers import with_waivers


MAX_AGE = datetime.timedelta(hours=24)


def join(
    catalogue: Catalogue, profile: Profile, selection: Selection, folder: Path
) -> tuple[Selection, Join]:
    """Return the selection and the join of a run that judges again what was not green in the last one.

    Judged again is, of what the run is asked to judge: what came to anything but PASS or a failure that is
    waived today; what was judged under another policy; what reads files of another Git revision; and what was
    not judged.

    Args:
        catalogue: as it is now.
        profile: of the stack.
        selection: what a whole run would judge.
        folder: of evidence files.

    Raises:
        AssayError: there is no earlier run of this stack, it is older than a day, or it was cut off.
    """
    past = _last(profile, folder)
    kept = {
        (one.control, Tier(one.tier))
        for one in past.judgements
        if _stands(one, catalogue, profile, past.identity)
    }
    bad = {
        (one.control, Tier(one.tier))
        for one in past.judgements
        if not _stands(one, catalogue, profile, past.identity)
    }
    again = selection.pairs - (kept - bad)
    says = f"{len(selection.pairs - again)} of {len(selection.pairs)} judgements are of {past.title}"
    return replace(selection, joins=says), Join(past, again)


def _last(profile: Profile, folder: Path) -> PastRun:
    found = earlier_runs(folder, profile.name, profile.cluster_uid, most=1)
    if not found:
        raise AssayError(f"no earlier run of {profile.name} to join", "run assay check without --again first")
    (past,) = found
    if past.closing is None or past.closing.outcome != "complete":
        raise AssayError(f"{past.title} did not end", "run assay check without --again")
    began = datetime.datetime.fromisoformat(past.opening.started)
    if utc_now() - began > MAX_AGE:
        raise AssayError(f"{past.title} is older than a day", "run assay check without --again")
    return past


def _stands(one: Judgement, catalogue: Catalogue, profile: Profile, identity: Mapping[str, Any]) -> bool:
    """Return whether an earlier judgement is green today and rests on what is there today."""
    control = catalogue.controls.get(one.control)
    if control is None or control.digest != one.digest:
        return False
    if one.tier == Tier.STATIC and identity.get("revisions") != revisions(profile.paths):
        return False
    plain = replace(one, waived="", waivers=())
    return one.verdict == Verdict.PASS or bool(with_waivers(plain, profile.waivers, utc_now().date()).waived)
