"""ACC-09: a client that does not survive the loss of a control plane, and a write that does not."""

from collections.abc import Iterator

from assay.model import Breach
from assay.proof.node_faults import client_pinned_to_leader, write_deleted
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def one_address_only(plant: Plant) -> Iterator[Breach]:
    """The kubeconfig names the API server on the etcd leader's node instead of the load balancer."""
    yield from client_pinned_to_leader(plant, "ACC-09")


@violation()
def write_taken_away(plant: Plant) -> Iterator[Breach]:
    """One acknowledged write of the drill's own ledger is deleted while the drill runs."""
    yield from write_deleted(plant)
