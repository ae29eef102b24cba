"""SEC-26: a rotated secret arrives in time, and the old value dies."""

import pytest

from assay.model import Offender, Record
from assay.probes.secret_holders import holders
from assay.stack import Stack


@pytest.mark.control("SEC-26")
def test_a_rotated_value_arrives_and_the_old_one_dies(stack: Stack, control: Record) -> None:
    """Judge who looks at the source and who holds what comes of it; then rotate a login, try both values."""
    limit, (path, secret) = control.limit("rotation"), control.listed("canary")
    synced = control.population(stack.origins.synced)
    late = [one for one in synced if not 0 < one.interval <= limit]
    control.offenders(
        Offender(one.named, f"looks at the source every {one.interval:.0f} s (0: never)") for one in late
    )
    places = {(one.space, one.target) for one in synced}
    held = control.population(holders(stack.kube, places, control.listed("reloaders")))
    control.offenders(
        Offender(one.named, f"{one.container}: {one.secret}: {one.fault}") for one in held if one.fault
    )
    assert not control.found, "what is declared cannot follow a rotation"
    turned = stack.rotation.turn(path, secret, limit)
    for what, after in turned.times.items():
        control.note(what, after)
    if turned.delivered is None:
        control.offenders([Offender(f"Secret {secret}", f"has the old value after {limit:.0f} s")])
    elif turned.used is None:
        control.offenders([Offender(turned.new.named, f"the new value is refused after {limit:.0f} s")])
    else:
        control.refused(turned.old, turned.new, "password authentication failed")
        control.measured(max(turned.used, turned.dead or 0.0), "s", "rotation")
    assert not control.found
