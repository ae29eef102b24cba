"""SEC-27: no pod carries an API token it did not ask for, and no token outlives its pod by long."""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("SEC-27")
def test_no_undeclared_api_token(stack: ReadStack, control: Record) -> None:
    """Judge every live pod, every stored token and every grant of a default service account."""
    clients, says = stack.platform.api_clients, stack.platform.annotations.calls_api
    longest = control.limit("token_life")
    pods = control.population(stack.kube.pods())
    undeclared = (
        p for p in pods if p.mounts_token and not p.declares_api(says) and not covered(p.account, clients)
    )
    lasting = (p for p in pods if any(token.seconds > longest for token in p.shape.api_tokens))
    stored, grants = stack.kube.stored_tokens(), stack.kube.grants()
    default = (
        g for g in grants if g.subject.startswith("ServiceAccount ") and g.subject.endswith("/default")
    )
    control.offenders(undeclared, "mounts an undeclared API token")
    control.offenders(lasting, "its API token lives too long")
    control.offenders(stored, "holds a token that never ends")
    control.offenders(default, "gives rights to a default service account")
    assert not control.found
