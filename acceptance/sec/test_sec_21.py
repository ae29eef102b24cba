"""SEC-21: what is sensitive in the manifests is encrypted by SOPS, and rightly."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-21")
def test_sensitive_manifests_are_encrypted(stack: ReadStack, control: Record) -> None:
    """Judge every value by its shape, without a key; then let sops open each file and check its code."""
    files = control.population(stack.sops.files)
    control.note("ciphertexts", sum(file.ciphertexts for file in files))
    for file in files:
        control.offenders(file.faults(control.scalar("oldest_sops")))
    if not control.found:  # a file that is not rightly encrypted is not worth opening
        for file in files:
            control.ask(f"sops decrypt {file.where}")
            if fault := stack.sops.opened(file):
                control.offender(fault)
    assert not control.found
