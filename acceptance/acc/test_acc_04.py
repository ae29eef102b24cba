"""ACC-04: every value that a process of the platform can reach comes from Vault or from a SOPS file."""

import pytest

from assay.model import Offender, Record
from assay.origins.secret_uses import declared_secrets, uses
from assay.origins.terraform_secrets import in_plan, in_sources, in_state, sources
from assay.origins.tracer import by_owner
from assay.probes.terraform.state import TerraformState
from assay.stack import ReadStack


@pytest.mark.control("ACC-04", tier="static")
def test_every_secret_in_use_is_declared(stack: ReadStack, control: Record) -> None:
    """A Secret that a manifest names is declared; files, plans and states of Terraform hold no secret."""
    known = declared_secrets(stack.manifests, stack.sops, control.listed("elsewhere"))
    used = control.population(uses(stack.manifests))
    unknown = [one for one in used if one.secret not in known]
    control.offenders(Offender(one.ref, f"Secret {one.secret} comes from nowhere") for one in unknown)
    infra, declared = stack.paths.infra, stack.paths.declared
    control.offenders(in_sources(infra, control.population(sources(infra))))
    for what, files in (("plan", declared.plan), ("state", declared.state)):
        control.note(what, len(files) or "not declared: not judged")
    control.offenders(leak for plan in (stack.plan if declared.plan else ()) for leak in in_plan(plan))
    control.offenders(leak for path in stack.paths.state for leak in in_state(TerraformState(path)))
    assert not control.found


@pytest.mark.control("ACC-04", tier="live")
def test_every_value_is_traced(stack: ReadStack, control: Record) -> None:
    """Climb the ladder for each key and each secret of a machine; search everything else for secrets."""
    origins, (deployer,) = stack.origins, control.listed("deployer")
    steps = control.population(origins.steps(control.listed("neither"), deployer))
    control.population(stack.talos.machines, of=len(stack.kube.nodes()))
    carried = origins.carried(stack.talos)
    steps += control.population(origins.machine_steps(carried, control.listed("machines")))
    for whose, reached in by_owner(steps).items():
        control.note(whose, reached)
    for step in steps:
        if not step.proven:
            control.offenders([Offender(step.ref, f"{step.key} is {step.rung}: {step.missing}")])
    control.measured(sum(step.proven for step in steps) / len(steps), "ratio", "covered")
    wrong, texts, objects = origins.elsewhere(carried, control.listed("public"))
    control.population(range(objects))
    control.note("searched besides", f"{texts} texts in {objects} objects")
    control.offenders(wrong)
    assert not control.found
