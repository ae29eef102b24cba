"""SEC-22: the rules of SOPS cover every secret path and name exactly the declared recipients."""

import pytest

from assay.model import Record
from assay.origins.sops_rules import drift, recipient_faults, rulebook_faults
from assay.stack import ReadStack


@pytest.mark.control("SEC-22")
def test_rules_and_recipients(stack: ReadStack, control: Record) -> None:
    """Judge the rules, then every file by the first rule that matches its path."""
    sops, access = stack.sops, stack.sops.need_recipients()
    files = control.population(sops.files)
    books = control.population(sops.rulebooks)
    control.note("rules", {book.where: len(book.rules) for book in books})
    for book in books:
        control.offenders(rulebook_faults(book, access, (one for one in files if sops.rulebook(one) == book)))
        control.offenders(drift(book, books[0]) if not book.in_force else ())
    for file in files:
        control.offenders(recipient_faults(file, sops.rulebook(file), access.recipients_of(file.where)))
    assert not control.found
