"""SEC-27: no pod carries an API token it did not ask for, and no account has rights that nobody uses."""

from collections.abc import Iterable

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.probes.kube.escalation import ACCOUNTS, AUTHENTICATED, RightsGraph
from assay.probes.kube.facts import Pod, Workload
from assay.probes.kube.rbac import Grant
from assay.stack import ReadStack


@pytest.mark.control("SEC-27")
def test_no_undeclared_api_token(stack: ReadStack, control: Record) -> None:
    """Judge every live pod, every stored token, and every grant to a default or an unused account."""
    clients, says = stack.platform.api_clients, stack.platform.annotations.calls_api
    longest, kube = control.limit("token_life"), stack.kube
    graph = RightsGraph(kube.rbac(), lambda _: False)
    grants = [grant for grant in graph.rbac.grants if grant.on_resources and not graph.is_own(grant)]
    bound = {grant.subject.removeprefix("ServiceAccount ") for grant in grants}
    pods = control.population(kube.pods())
    for pod in pods:
        declared = pod.declares_api(says) or covered(pod.account, clients)
        if pod.mounts_token and not declared and (pod.account not in bound or _is_default(pod.account)):
            control.offender(pod, "mounts an API token that nobody declared, for an account without rights")
        if any(token.seconds > longest for token in pod.shape.api_tokens):
            control.offender(pod, "its API token lives too long")
    control.offenders(kube.stored_tokens(), "holds a token that never ends")
    used = {*_accounts(pods), *_accounts(kube.workloads())}
    for grant in grants:
        _judge(control, grant, used, clients)
    assert not control.found


def _judge(control: Record, grant: Grant, used: set[str], clients: tuple[str, ...]) -> None:
    """Judge one grant: nobody's rights for default accounts, no rights for accounts that nothing uses."""
    kind, _, who = grant.subject.partition(" ")
    if kind == "Group" and (who in {ACCOUNTS, AUTHENTICATED} or who.startswith(f"{ACCOUNTS}:")):
        control.offender(grant, f"gives rights to default service accounts, through group {who}")
    elif kind == "ServiceAccount" and _is_default(who):
        control.offender(grant, "gives rights to a default service account")
    elif kind == "ServiceAccount" and who not in used and not covered(who, clients):
        control.offender(grant, f"gives rights to {who}, which no pod and no workload uses")


def _is_default(account: str) -> bool:
    return account.endswith("/default")


def _accounts(things: Iterable[Pod | Workload]) -> Iterable[str]:
    return (f"{thing.namespace}/{thing.shape.service_account or 'default'}" for thing in things)
