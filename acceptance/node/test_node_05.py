"""NODE-05: no machine secret in Git, its history, or a state in clear."""

import pytest

from assay.model import Record
from assay.probes.terraform.state import state_faults
from assay.stack import ReadStack


@pytest.mark.control("NODE-05")
def test_git_and_state_hold_no_machine_secret(stack: ReadStack, control: Record) -> None:
    """Judge every version of every file by name and content, and what would put secrets into the state."""
    for repository in stack.repositories:
        with control.part(f"Repository {repository.path.name}"):
            blobs = control.population(repository.blobs)
            control.note("versions in the history only", sum(not blob.current for blob in blobs))
            control.offenders(repository.exposures())
    control.note("Terraform", len(stack.paths.declared.infra) or "the profile names none: no state is judged")
    if stack.paths.declared.infra:
        resources = control.population(stack.hcl.resources())
        for backend in stack.platform.state_backends:
            control.note(f"backend {backend.type}", backend.reason)
        control.offenders(state_faults(stack.hcl.settings(), resources, stack.platform.state_backends))
    assert not control.found
