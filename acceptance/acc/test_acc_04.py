"""ACC-04: every secret comes from Vault or from a SOPS file, and stands nowhere else."""

import pytest

from assay.config.platform import ControllerSecret, PublicText
from assay.model import Record
from assay.origins.secret_uses import declared_secrets, undeclared, uses
from assay.origins.terraform_secrets import in_plan, in_sources, in_state, source_files
from assay.origins.tracer import by_owner
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.state import TerraformState
from assay.stack import ReadStack


@pytest.mark.control("ACC-04", tier="static")
def test_every_secret_in_use_is_declared(stack: ReadStack, control: Record) -> None:
    """Each Secret that a manifest names is declared; Terraform's files, plans and states hold none."""
    with control.part("the manifests"):
        declared = declared_secrets(stack.manifests, stack.sops, stack.profile.platform.secrets_elsewhere)
        control.offenders(undeclared(control.population(uses(stack.manifests)), declared))
    if stack.paths.declared.infra:
        with control.part("the Terraform sources"):
            control.offenders(in_sources(stack.hcl, control.population(source_files(stack.hcl))))
    for path in stack.paths.declared.plan:
        with control.part(f"plan {path.name}"):
            control.offenders(in_plan(TerraformPlan(path)))
    for path in stack.paths.declared.state:
        with control.part(f"state {path.name}"):
            control.offenders(in_state(TerraformState(path)))
    for what in ("infra", "plan", "state"):
        control.note(what, len(getattr(stack.paths.declared, what)) or "the profile names none: not judged")
    assert not control.found


@pytest.mark.control("ACC-04", tier="live")
def test_every_value_is_traced(stack: ReadStack, control: Record) -> None:
    """Each key of a Secret and each secret of a machine is its source's; no other text holds a secret."""
    origins = stack.origins
    keys = control.population(origins.secret_keys(control.table("controller_secrets", ControllerSecret)))
    control.offenders(key for key in keys if not key.proven)
    nodes = control.population(stack.talos.every(control.unread))
    on_machines = origins.machine_secrets(stack.talos, nodes, control.unread)
    machine_keys = control.population(origins.machine_keys(on_machines))
    control.offenders(key for key in machine_keys if not key.proven)
    for owner, reached in by_owner((*keys, *machine_keys)).items():
        control.note(owner, reached)

    objects = control.population(origins.objects())
    control.note("texts searched", sum(len(one.texts) for one in objects))
    control.offenders(origins.leaks(objects, on_machines, control.table("public_texts", PublicText)))
    assert not control.found
