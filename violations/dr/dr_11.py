"""DR-11: a client pinned to the etcd leader's own node, and a write that does not survive."""

from contextlib import AbstractContextManager

from assay.proof.node_faults import client_pinned_to_leader, write_stolen
from assay.proof.plant import Breach, Plant


def one_address_only(plant: Plant) -> AbstractContextManager[Breach]:
    """The kubeconfig names the API server beside the etcd leader, not the load balancer."""
    return client_pinned_to_leader(plant, "DR-11")


def write_taken_away(plant: Plant) -> AbstractContextManager[Breach]:
    """One acknowledged write of the drill's own ledger is deleted while the drill runs."""
    return write_stolen(plant)


PLANTED = [one_address_only, write_taken_away]
