"""SEC-28: no runbook, script or pipeline leaves an administrator's credential on a machine."""

import pytest

from assay.model import Record
from assay.origins.local_copies import in_documents, in_scripts, scripts
from assay.stack import ReadStack


@pytest.mark.control("SEC-28")
def test_no_credential_is_left_on_a_machine(stack: ReadStack, control: Record) -> None:
    """Follow every credential that the runbook makes to its end; search scripts and pipelines for others."""
    control.note("commands", len(control.population(stack.runbook.commands)))
    control.offenders(in_documents(stack.runbook))
    globs = (*control.listed("scripts"), *stack.platform.scripts)
    found = control.population(one for tree in stack.repositories for one in scripts(tree, globs))
    control.offenders(in_scripts(found))
    assert not control.found
