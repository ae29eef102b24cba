"""SEC-26: a rotated secret arrives in time, and the old value dies."""

import pytest

from assay.drills.rotation import RotationResult
from assay.errors import ProbeError
from assay.model import Record
from assay.origins.deliveries import deliveries
from assay.origins.secret_holders import RotationExemption, holders
from assay.stack import DrillStack, ReadStack


USE = "the use of the new value and the end of the old one"
END = "the end of the old value"
BLIND = ProbeError("its container cannot be looked into", "name a service that takes the canary instead")
NAME_ONE = "set canary_login under [platform.rotation], or [sql] for a login of PostgreSQL"


@pytest.mark.control("SEC-26", tier="live")
def test_every_synced_secret_can_follow_a_rotation(stack: ReadStack, control: Record) -> None:
    """Judge how often each ExternalSecret looks at its source, and whether containers follow the Secret."""
    limit, rotation = control.limit("rotation"), stack.platform.rotation
    exempt = RotationExemption(rotation.exemptions, f"Secret {rotation.canary_secret}")
    specs, given = stack.origins.external_secrets, deliveries(stack.kube)
    control.population([*specs, *given])
    for one in given:
        if (why := one.late(limit)) and not exempt.covers("", one.ref):
            control.offender(one, why)
    judged = [one for one in specs if not exempt.covers(one.makes)]
    for spec in judged:
        if not 0 < spec.interval <= limit:
            control.offender(spec, f"looks at the source every {spec.interval:.0f} s (0: never)")
        if spec.immutable:
            control.offender(spec, "makes an immutable Secret: a rotation never reaches it")
    restarts = {(spec.space, spec.target): spec.restarts for spec in judged}
    found = holders(stack.kube, restarts, rotation.reloaders, restarts)
    for holder in control.population(found) if judged else ():
        if holder.fault and not exempt.covers(holder.held, holder.ref):
            control.offender(holder, f"{holder.container}: {holder.secret}: {holder.fault}")
    for what, why in exempt.used.items():
        control.note(what, why)
    assert not control.found


@pytest.mark.control("SEC-26", tier="drill")
def test_a_rotated_canary_arrives_and_its_old_value_dies(stack: DrillStack, control: Record) -> None:
    """Rotate the canary's login: the new value must be used in time, the old one must be refused."""
    limit, rotation = control.limit("rotation"), stack.platform.rotation
    control.assume(bool(rotation.canary_path), "the profile names no canary: set [platform.rotation]")
    secret = f"Secret {rotation.canary_secret}"
    turned = stack.drills.rotation().turn(rotation.canary_path, rotation.canary_secret, limit)
    control.population([secret])
    for what, after in turned.times.items():
        control.note(what, after)
    if turned.delivered is None:
        control.offender(secret, f"has the old value after {limit:.0f} s")
    elif not turned.refusal:
        judge_arrival(control, turned, limit)
    elif turned.used is None:
        control.offender(turned.new, f"the new value is refused after {limit:.0f} s")
    elif control.refused(turned.old, turned.new, turned.refusal):
        took = control.measured(turned.took, "s", "rotation")
        if took > limit:
            control.offender(turned.new, f"took {took:.0f} s to arrive, the limit is {limit:.0f} s")
    assert not control.found


def judge_arrival(control: Record, turned: RotationResult, limit: float) -> None:
    """Judge a rotation that no service was asked about: by what the pods hold that take the Secret."""
    control.measured(turned.took, "s", "rotation")
    control.note("pods", f"{len(turned.pods)} places looked into")
    for place in turned.stale:
        control.offender(
            place, f"{place.container}: {' '.join(place.words)}: the old value after {limit:.0f} s"
        )
    for place in turned.blind:
        control.unread(place, BLIND)
    part = END if turned.pods else USE
    control.unchecked(part, "the profile names no service that takes the canary", NAME_ONE)
