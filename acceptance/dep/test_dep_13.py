"""DEP-13: what the public name confirms is in the database, seen by a way that is not the product's."""

import secrets

import pytest

from assay.model import Record
from assay.stack import WriteStack


@pytest.mark.control("DEP-13")
def test_marked_transaction_reaches_the_database(stack: WriteStack, control: Record) -> None:
    """Send one marked order per path, look for it in the database itself and by its own address."""
    for path in control.population(control.listed("paths")):
        mark = f"assay-{secrets.token_hex(12)}"
        control.assume(stack.sql.order(mark) is None, "the mark is not new")
        sent = stack.http.post(path, {"mark": mark})
        control.ask(f"{sent.ref} with a new mark")
        control.measured(sent.seconds, "s", "answer")
        if sent.status != 201:
            control.offender(sent, f"answers {sent.status}, not 201")
            continue
        row = stack.sql.order(mark)
        if row is None:
            control.offender(sent, "confirmed, but the database does not have it")
            continue
        if sent.fields.get("id") != row.id:
            control.offender(sent, "confirmed another row")
        back = stack.http.get(f"{path}/{row.id}")
        if back.status != 200 or back.fields.get("mark") != mark:
            control.offender(sent, f"reading it back answers {back.status}, or another mark")
    if not any(one.synchronous for one in stack.sql.standbys()):
        control.offender(stack.sql, "no standby holds what it confirms")
    assert not control.found
