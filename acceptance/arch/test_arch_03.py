"""ARCH-03: three worker pools, labelled and tainted, and workloads on their own pool only."""

import pytest

from assay.config.platform import covered
from assay.model import Record
from assay.probes.kube.placement import bound_to
from assay.stack import ReadStack


@pytest.mark.control("ARCH-03")
def test_pools_are_real(stack: ReadStack, control: Record) -> None:
    """Judge live labels and live taints of every worker, and where every pod really is."""
    pools, everywhere = stack.platform.pools, stack.platform.namespaces.everywhere
    control.assume(
        bool(pools.label and pools.names), "the profile has no label and names under [platform.pools]"
    )
    nodes = control.population(stack.kube.nodes())
    workers = [node for node in nodes if pools.control_label not in node.labels]
    pool_of = {node.name: node.labels.get(pools.label, "") for node in nodes}
    if control.measured(len(pools.names), "count", "pools") < control.limit("pools"):
        control.offender("Pools", f"{len(pools.names)} of {control.limit('pools'):.0f}")
    shared = [name for name in pools.names if name not in pools.taints]
    if control.measured(len(shared), "count", "shared_pools") > control.limit("shared_pools"):
        control.offenders((f"Pool {name}" for name in shared), "is one of several without a taint")
    filled = {pool_of[node.name] for node in workers}
    control.offenders((f"Pool {name}" for name in pools.names if name not in filled), "has no node")
    for node in workers:
        taint = pools.taints.get(pool_of[node.name])
        if pool_of[node.name] not in pools.names:
            control.offender(node, "is in none of the pools")
        elif taint and not any(one.repels and one.key == taint for one in node.taints):
            control.offender(node, "no taint keeps other pods away")
    dedicated = {node.name for node in workers if pool_of[node.name] in pools.taints}
    for pod in control.population(pod for pod in stack.kube.pods() if pod.node):
        claimed = frozenset({pod.labels[pools.label]}) if pools.label in pod.labels else None
        bound = bound_to(pod.shape.node_selector, pod.shape.node_terms, pools.label, set(pool_of.values()))
        bound = claimed if bound is None else bound
        if bound is not None and pool_of.get(pod.node) not in bound:
            control.offender(pod, f"is bound to pool {', '.join(sorted(bound))}, not to its node's")
        elif (
            not bound
            and pod.node in dedicated
            and not pod.everywhere
            and not covered(pod.namespace, everywhere)
        ):
            control.offender(pod, f"is on a node of pool {pool_of[pod.node]}, which it is not bound to")
    assert not control.found
