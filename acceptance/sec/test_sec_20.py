"""SEC-20: the repository holds no secret in clear, now or ever."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-20")
def test_no_secret_in_clear(stack: ReadStack, control: Record) -> None:
    """Judge every version of every file that any branch or tag ever held, and every message."""
    leaks = stack.secrets
    control.population(leaks.versions)
    control.note("accepted until a day", len(leaks.baseline))
    control.offenders(leaks.open())
    assert not control.found
