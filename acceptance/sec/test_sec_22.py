"""SEC-22: the rules of SOPS cover every secret path and name exactly the declared recipients."""

import pytest

from assay.model import Record
from assay.probes.sops.rules import file_faults
from assay.stack import ReadStack


@pytest.mark.control("SEC-22")
def test_rules_and_recipients(stack: ReadStack, control: Record) -> None:
    """Judge the rules, then every file by the first rule that matches its path."""
    declared = stack.sops.declared
    files = control.population(stack.sops.files)
    books = control.population(stack.sops.rulebooks)
    control.note("rules", {book.where: len(book.rules) for book in books})
    for book in books:
        control.offenders(book.faults(declared))
        control.offenders(book.drift(books[0]) if not book.in_force else ())
    for file in files:
        control.offenders(file_faults(file, stack.sops.rulebook(file), declared))
    assert not control.found
