"""SEC-28: no runbook, script or pipeline leaves an administrator's credential on a machine."""

import pytest

from assay.model import Record
from assay.origins.local_copies import in_documents, in_scripts, scripts
from assay.stack import ReadStack


@pytest.mark.control("SEC-28")
def test_no_credential_is_left_on_a_machine(stack: ReadStack, control: Record) -> None:
    """Follow every credential that the runbook makes to its end; search scripts and pipelines for others."""
    with control.part("the runbook"):
        control.note("commands", len(control.population(stack.runbook.commands)))
        control.offenders(in_documents(stack.runbook))
    globs, found = (*control.listed("scripts"), *stack.platform.scripts), []
    for tree in stack.repositories:
        with control.part(f"Repository {tree.path.name}"):
            found += list(scripts(tree, globs))
    control.offenders(in_scripts(control.population(found)))
    assert not control.found
