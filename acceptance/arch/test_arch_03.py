"""ARCH-03: three worker pools, labelled and tainted, and workloads on their own pool only."""

import pytest

from assay.model import Record
from assay.stack import ReadStack


@pytest.mark.control("ARCH-03")
def test_pools_are_real(stack: ReadStack, control: Record) -> None:
    """Judge live labels and live taints of every worker, and where every pod really is."""
    label, control_label = control.scalar("pool_label"), control.scalar("control_label")
    pools, everywhere = control.listed("pools"), control.listed("everywhere")
    taints = {key.rpartition("/")[2]: key for key in control.listed("taints")}
    nodes = control.population(stack.kube.nodes(), of=len(stack.profile.talos.nodes) or None)
    pool_of = {n.name: n.labels.get(label, "") for n in nodes}
    workers = [n for n in nodes if control_label not in n.labels]
    dedicated = {n.name: pool_of[n.name] for n in workers if pool_of[n.name] in taints}
    pods = control.population(p for p in stack.kube.pods() if p.node)
    wanted = {p.ref: p.shape.node_selector.get(label) or p.labels.get(label, "") for p in pods}
    unpooled = (n for n in workers if pool_of[n.name] not in pools)
    open_nodes = (
        n for n in workers
        if n.name in dedicated and not any(t.repels and t.key == taints[pool_of[n.name]] for t in n.taints)
    )  # fmt: skip
    empty = (f"pool {pool}" for pool in pools if pool not in {pool_of[n.name] for n in workers})
    astray = (p for p in pods if wanted[p.ref] and pool_of.get(p.node) != wanted[p.ref])
    others = (
        p for p in pods
        if p.node in dedicated and wanted[p.ref] != dedicated[p.node] and p.namespace not in everywhere
    )  # fmt: skip
    control.offenders(unpooled, "is in none of the pools")
    control.offenders(empty, "has no node")
    control.offenders(open_nodes, "no taint keeps other pods away")
    control.offenders(astray, "is bound to another pool than its node's")
    control.offenders(others, "is on a dedicated node it is not bound to")
    assert not control.found
