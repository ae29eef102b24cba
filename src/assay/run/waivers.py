"""Waivers: failures that somebody answers for until a day. Together they may cover what none covers alone."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace

from assay.catalogue import Catalogue
from assay.config.profile import Waiver
from assay.model import Verdict
from assay.run.entries import Judgement
from assay.run.gate import ControlRow


MAX_NAMED = 5


def with_waivers(judged: Judgement, waivers: Sequence[Waiver], day: datetime.date) -> Judgement:
    """Return a failed judgement with the waivers that are in force for it.

    It is waived if every offender is covered by one of them. Otherwise it fails as before, and its reason
    names what is left over. What could not be read is never waived.

    Args:
        judged: a judgement; one that did not fail is returned as it is.
        waivers: of the profile.
        day: today.
    """
    if judged.verdict != Verdict.FAIL:
        return judged
    offenders = list(dict.fromkeys(ref for ref, _ in judged.offenders))
    used = [
        one
        for one in waivers
        if one.control == judged.control and one.holds(day) and _touches(one, offenders)
    ]
    if not used:
        return judged
    left = [] if any(is_whole(one) for one in used) else [
        ref for ref in offenders if not any(one.covers(ref) for one in used)
    ]  # fmt: skip
    counted = tuple((one.scope, sum(one.covers(ref) for ref in offenders)) for one in used)
    judged = replace(judged, waivers=counted)
    if not left and not judged.unread:
        return replace(judged, waived="; ".join(_words(one, len(offenders)) for one in used))
    covered = f"{len(offenders) - len(left)} of {len(offenders)} offender{_s(len(offenders))} waived"
    rest = (
        f"left: {_named(left)}" if left else f"{len(judged.unread)} could not be read, and that is not waived"
    )
    return replace(judged, reason=f"{covered}, {rest}; {judged.reason}")


def waiver_findings(
    catalogue: Catalogue, waivers: Sequence[Waiver], table: Sequence[ControlRow], day: datetime.date
) -> list[str]:
    """Return one line for each waiver that is expired, unused, or for a control that does not exist.

    A waiver whose control was not judged in this run is none of these.
    """
    rows = {row.control.id: row for row in table}
    found = []
    for waiver in waivers:
        name = f"waiver for {waiver.control} ({waiver.scope})"
        row = rows.get(waiver.control)
        if waiver.control not in catalogue.controls:
            found.append(f"{name}: no such control")
        elif not waiver.holds(day):
            found.append(f"{name}: not in force on {day}: {waiver.created} to {waiver.expires}")
        elif row is not None and row.judgements and not _used(waiver, row):
            failed = row.verdict is Verdict.FAIL
            why = "covers none of the offenders" if failed else f"the control came to {row.verdict}"
            found.append(f"{name}: not needed, {why}")
    return found


def is_whole(waiver: Waiver) -> bool:
    """Return whether a waiver accepts whatever its control may find, and not some offenders."""
    return not waiver.scope.strip("*?")


def _touches(waiver: Waiver, offenders: Sequence[str]) -> bool:
    return is_whole(waiver) or any(waiver.covers(ref) for ref in offenders)


def _used(waiver: Waiver, row: ControlRow) -> bool:
    return any(scope == waiver.scope for one in row.judgements for scope, _ in one.waivers)


def _words(waiver: Waiver, offenders: int) -> str:
    what = f"whole control ({offenders} offender{_s(offenders)})" if is_whole(waiver) else waiver.scope
    return f"{what}: waived by {waiver.approver} until {waiver.expires}: {waiver.reason}"


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _named(refs: Sequence[str]) -> str:
    more = len(refs) - MAX_NAMED
    return ", ".join(refs[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
