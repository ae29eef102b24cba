"""Judging again only what was not green, joined to the earlier run of the same stack."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.errors import AssayError
from assay.model import Tier, Verdict
from assay.run.entries import Judgement
from assay.run.gate import Selection
from assay.run.identity import CHANGED, UNKNOWN, revisions, settings_digest
from assay.run.options import utc_now
from assay.run.past import Join, PastRun, earlier_runs
from assay.run.waivers import with_waivers


MAX_AGE = datetime.timedelta(hours=24)


def join(
    catalogue: Catalogue, profile: Profile, selection: Selection, folder: Path
) -> tuple[Selection, Join]:
    """Return the selection and the join of a run that judges again what was not green in the last one.

    Of what the run is asked to judge, an earlier judgement stands if it is a PASS, or a failure that is
    waived today; if it is no older than a day; and if it rests on what is there today: the same policy, the
    same profile apart from waivers and scope, for files the same revision, unchanged. All else is judged.

    Args:
        catalogue: as it is now.
        profile: of the stack.
        selection: what a whole run would judge.
        folder: of evidence files.

    Raises:
        AssayError: there is no earlier run of this stack, or the last one did not end.
    """
    past = _last(profile, folder)
    fallen = _fallen(past, catalogue, profile)
    kept = {(one.control, Tier(one.tier)) for one in past.judgements} - fallen
    again = selection.pairs - kept
    says = f"{len(selection.pairs - again)} of {len(selection.pairs)} judgements are of {past.title}"
    if past.opening.settings != settings_digest(profile):
        says += ", the profile has changed since"
    return replace(selection, joins=says), Join(past, again)


def _last(profile: Profile, folder: Path) -> PastRun:
    found = earlier_runs(folder, profile.name, profile.cluster_uid, most=1)
    if not found:
        raise AssayError(f"no earlier run of {profile.name} to join", "run assay check without --again first")
    (past,) = found
    if past.closing is None or past.closing.outcome != "complete":
        raise AssayError(f"{past.title} did not end", "run assay check without --again")
    return past


def _fallen(past: PastRun, catalogue: Catalogue, profile: Profile) -> set[tuple[str, Tier]]:
    """Return the cases of an earlier run of which a judgement does not stand."""
    if past.opening.settings != settings_digest(profile):
        return {(one.control, Tier(one.tier)) for one in past.judgements}
    sources = revisions(profile.paths)
    settled = past.identity.get("revisions") == sources and not any(
        one.endswith((CHANGED, UNKNOWN)) for one in sources.values()
    )
    return {
        (one.control, Tier(one.tier))
        for one in past.judgements
        if not _stands(one, catalogue, profile) or (one.tier == Tier.STATIC and not settled)
    }


def _stands(one: Judgement, catalogue: Catalogue, profile: Profile) -> bool:
    """Return whether an earlier judgement is young, by the policy of today, and green today."""
    control, today = catalogue.controls.get(one.control), utc_now()
    if control is None or control.digest != one.digest:
        return False
    if today - datetime.datetime.fromisoformat(one.end) > MAX_AGE:
        return False
    plain = replace(one, waived="", waivers=())
    return one.verdict == Verdict.PASS or bool(with_waivers(plain, profile.waivers, today.date()).waived)
