"""SEC-26: a rotated secret arrives in time, and the old value dies."""

import pytest

from assay.model import Offender, Record
from assay.origins.secret_holders import RotationExemption, holders
from assay.stack import DrillStack


@pytest.mark.control("SEC-26")
def test_a_rotated_value_arrives_and_the_old_one_dies(stack: DrillStack, control: Record) -> None:
    """Judge who looks at the source and who holds what comes of it; then rotate a login, try both values."""
    limit, canary = control.limit("rotation"), control.listed("canary")
    control.assume(
        len(canary) == 2 and "/" in canary[1], "canary is not a path and a namespace/name: fix the policy"
    )
    path, secret = canary
    spared, synced = (
        RotationExemption(control.listed("exceptions"), f"Secret {secret}"),
        stack.origins.external_secrets,
    )
    judged = [one for one in control.population(synced) if not spared.covers(one.makes)]
    late = [one for one in judged if not 0 < one.interval <= limit]
    control.offenders(
        Offender(one.ref, f"looks at the source every {one.interval:.0f} s (0: never)") for one in late
    )
    places = {(one.space, one.target) for one in judged}
    held = control.population(holders(stack.kube, places, control.listed("reloaders")))
    stuck = [one for one in held if one.fault and not spared.covers(one.held, one.ref)]
    control.offenders(Offender(one.ref, f"{one.container}: {one.secret}: {one.fault}") for one in stuck)
    for what, why in spared.used.items():
        control.note(what, why)
    if f"Secret {secret}" not in {one.makes for one in late}:  # else it could not follow a rotation
        rotate(stack, control, path, secret)
    assert not control.found


def rotate(stack: DrillStack, control: Record, path: str, secret: str) -> None:
    """Rotate the canary's login, and judge that the new value arrives in time and the old one dies."""
    limit = control.limit("rotation")
    turned = stack.drills.rotation().turn(path, secret, limit)
    for what, after in turned.times.items():
        control.note(what, after)
    if turned.delivered is None:
        control.offender(f"Secret {secret}", f"has the old value after {limit:.0f} s")
    elif turned.used is None:
        control.offender(turned.new, f"the new value is refused after {limit:.0f} s")
    elif control.refused(turned.old, turned.new, "password authentication failed"):
        took = control.measured(turned.took, "s", "rotation")
        if took > limit:
            control.offender(turned.new, f"took {took:.0f} s to arrive, the limit is {limit:.0f} s")
