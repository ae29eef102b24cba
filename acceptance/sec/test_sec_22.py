"""SEC-22: the rules of SOPS cover every secret path and name exactly the declared recipients."""

import pytest

from assay.model import Record
from assay.probes.sops.rules import file_faults
from assay.stack import Stack


@pytest.mark.control("SEC-22")
def test_rules_and_recipients(stack: Stack, control: Record) -> None:
    """Judge the rules, then every file by the first rule that matches its path."""
    declared = stack.sops.declared
    files = control.population(stack.sops.files)
    books = control.population(stack.sops.rulebooks)
    control.note("rules", {book.where: len(book.rules) for book in books})
    faults = [fault for book in books for fault in book.faults(declared)]
    faults += [fault for book in books if not book.in_force for fault in book.drift(books[0])]
    faults += [fault for file in files for fault in file_faults(file, stack.sops.rulebook(file), declared)]
    assert not control.offenders(faults)
