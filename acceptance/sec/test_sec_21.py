"""SEC-21: what is sensitive in the manifests is encrypted by SOPS, and rightly."""

import pytest

from assay.model import Record
from assay.origins.sops_files import encryption_faults
from assay.stack import ReadStack


@pytest.mark.control("SEC-21")
def test_sensitive_manifests_are_encrypted(stack: ReadStack, control: Record) -> None:
    """Judge every value by its shape, without a key; then let sops open each file and check its code."""
    files = control.population(stack.sops.files)
    control.note("ciphertexts", sum(file.ciphertexts for file in files))
    for file in files:
        control.offenders(encryption_faults(file, control.scalar("oldest_sops")))
    for file in files if not control.found else ():  # one that is not rightly encrypted is not worth opening
        if file.encrypted:
            control.ask(f"sops decrypt {file.where}")
            if why := stack.sops.opening_fault(file):
                control.offender(file, why)
    assert not control.found
