"""DEP-13: what the public name confirms is in the database, seen by a way that is not the product's."""

import pytest

from assay.errors import ProbeError
from assay.model import Record
from assay.stack import WriteStack


@pytest.mark.control("DEP-13")
def test_marked_transaction_reaches_the_database(stack: WriteStack, control: Record) -> None:
    """Send one marked transaction per product path, look for it in the database, and remove it again."""
    control.assume(
        bool(stack.profile.transactions), "the profile has no [[transactions]], one per product path"
    )
    for one in control.population(stack.transactions):
        control.assume(not one.stored(), "the mark is not new")
        sent = one.send()
        control.ask(f"{sent.ref} with a new mark")
        control.measured(sent.seconds, "s", "answer")
        if sent.status != one.known.status:
            control.offender(sent, f"answers {sent.status}, not {one.known.status:.0f}")
        elif not one.stored():
            control.offender(sent, "confirmed, but the database does not have it")
        else:
            for fault in one.faults():
                control.offender(sent, fault)
        if one.row is None and not one.stored():
            continue
        control.note(f"{one.ref}, removed", one.known.not_cleaned or one.known.clean_up)
        try:
            one.clean_up()
        except ProbeError as problem:
            control.unread(one, problem)
    assert not control.found
