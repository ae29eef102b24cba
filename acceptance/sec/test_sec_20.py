"""SEC-20: the repositories hold no secret in clear, now or ever."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-20")
def test_no_secret_in_clear(stack: ReadStack, control: Record) -> None:
    """Judge every version of every file that any branch or tag ever held, and every message."""
    for scan in stack.secret_scans:
        with control.part(f"Repository {scan.git.path.name}"):
            control.population(scan.versions)
            control.offenders(scan.open())
    control.note("accepted until a day", sum(len(scan.baseline) for scan in stack.secret_scans))
    assert not control.found
