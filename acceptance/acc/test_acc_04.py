"""ACC-04: every value that a process of the platform can reach comes from Vault or from a SOPS file."""

import pytest

from assay.model import Offender, Record
from assay.probes.origins import by_namespace
from assay.probes.secret_uses import declared_secrets, uses
from assay.stack import Stack


@pytest.mark.control("ACC-04", tier="static")
def test_every_secret_in_use_is_declared(stack: Stack, control: Record) -> None:
    """A Secret that a manifest names is an ExternalSecret's, a SOPS file's, or declared as neither."""
    known = declared_secrets(stack.manifests, stack.sops, control.listed("elsewhere"))
    used = control.population(uses(stack.manifests))
    unknown = [one for one in used if one.secret not in known]
    control.offenders(Offender(one.named, f"Secret {one.secret} comes from nowhere") for one in unknown)
    assert not control.found


@pytest.mark.control("ACC-04", tier="live")
def test_every_value_is_traced(stack: Stack, control: Record) -> None:
    """Climb the ladder for each data key, then search everything that is no Secret for secrets and copies."""
    origins, (deployer,) = stack.origins, control.listed("deployer")
    steps = control.population(origins.steps(control.listed("neither"), deployer))
    for space, reached in by_namespace(steps).items():
        control.note(space, reached)
    for step in steps:
        if not step.proven:
            control.offenders([Offender(step.named, f"{step.key} is {step.rung}: {step.missing}")])
    covered = control.measured(sum(step.proven for step in steps) / len(steps), "ratio", "covered")
    wrong, texts, objects = origins.elsewhere()
    control.population(range(objects))
    control.note("searched besides", f"{texts} texts in {objects} objects")
    control.offenders(wrong)
    assert covered >= control.limit("covered")
    assert not control.found
