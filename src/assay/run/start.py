"""The start of a run: catalogue, profile and options are checked before anything is asked of a stack."""

from __future__ import annotations

import os
from collections.abc import Sequence

from assay.catalogue import Catalogue, check_overrides, check_trios, load_catalogue
from assay.config.profile import Profile
from assay.drills.specs import DRILLS
from assay.errors import CatalogueError, GuardError, ProfileError
from assay.model import Tier
from assay.probes.guard import SENT
from assay.proof.violation import Violation, planted_violations
from assay.run.allowance import NOTHING, allowance_of
from assay.run.gate import select
from assay.run.options import RunOptions, new_run, utc_now
from assay.run.resolve import find_profile
from assay.run.session import Session


EXCLUSIVE = (Tier.LOAD, Tier.DRILL)


def start(options: RunOptions) -> Session:
    """Return the session for what the command line asked.

    Raises:
        AssayError: catalogue, profile or options cannot be used; one line with a remedy.
    """
    catalogue = load_catalogue(options.root)
    check_trios(catalogue, options.controls)
    _check_known("--control", options.controls, catalogue)
    if options.drill and options.drill not in DRILLS:
        raise CatalogueError(f"--drill: no such drill: {options.drill}", f"known: {', '.join(DRILLS)}")
    profile = None if options.collect_only else _profile(options, catalogue)
    selection = select(catalogue, profile, options.tiers, options.controls, options.cases)
    allowance = allowance_of(profile, options.allow, utc_now()) if profile else NOTHING
    if profile is not None:
        selection = selection.reduced(allowance, catalogue)
    run = os.environ.get("ASSAY_RUN") or new_run()
    SENT.begin(run)
    session = Session(options, catalogue, profile, selection, allowance, run=run)
    if profile is not None:
        _check_exclusive(session)
        _check_cluster_named(session, profile)
        if options.prove and not profile.is_lab:
            raise GuardError(f"{profile.name} is {profile.kind}: nothing is planted there", "prove on a lab")
    session.violations = _violations(session) if options.prove else {}
    return session


def _profile(options: RunOptions, catalogue: Catalogue) -> Profile:
    profile = find_profile(options.stack)
    file, standins = profile.file.name, [name for one in profile.standins for name in one.controls]
    _check_known(f"{file} [scope]", profile.controls or (), catalogue)
    _check_known(f"{file} [[not_applicable]]", tuple(profile.not_applicable), catalogue)
    _check_known(f"{file} [[standins]]", standins, catalogue)
    check_overrides(catalogue, profile.overrides)
    return profile


def _check_known(where: str, controls: Sequence[str], catalogue: Catalogue) -> None:
    unknown = [control for control in controls if control not in catalogue.controls]
    if unknown:
        raise CatalogueError(
            f"{where}: no such control: {', '.join(unknown)}", "see docs/coverage.md for the ids"
        )


def _check_cluster_named(session: Session, profile: Profile) -> None:
    if session.live and not profile.cluster_uid:
        raise ProfileError(
            f"{profile.file.name} does not say which cluster is meant: [stack] cluster_uid is empty",
            "kubectl get namespace kube-system -o jsonpath={.metadata.uid} prints it; "
            "--tier static judges without it",
        )


def _check_exclusive(session: Session) -> None:
    if not session.options.workers:
        return
    if session.options.prove:
        raise GuardError("a proof runs alone", "leave out -n")
    if any(tier in EXCLUSIVE for _, tier in session.selection.pairs):
        raise GuardError("load and drill run alone", "leave out -n, or add --tier static --tier live")


def _violations(session: Session) -> dict[tuple[str, Tier], list[Violation]]:
    found: dict[tuple[str, Tier], list[Violation]] = {pair: [] for pair in sorted(session.selection.pairs)}
    for control in sorted(session.selection.controls):
        known = session.catalogue.controls[control]
        for one in planted_violations(session.catalogue.root, known):
            found.setdefault((control, one.tier_of(known)), []).append(one)
    for (control, tier), violations in found.items():
        if not violations and (control, tier) in session.selection.pairs:
            raise CatalogueError(
                f"{control}: no violation for its {tier} test", f'mark one with @violation(tier="{tier}")'
            )
    return found
