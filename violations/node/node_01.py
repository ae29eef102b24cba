"""NODE-01: a machine of another system, one of another release, and a server that joined nothing."""

import json
from collections.abc import Iterator

from assay.model import Named
from assay.proof.node_faults import other_image
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def foreign_node(plant: Plant) -> Iterator[Named]:
    """A node that was not declared registers itself, as a hand-installed Ubuntu server would."""
    spec = {"unschedulable": True, "taints": [{"key": "assay.dev/planted", "effect": "NoExecute"}]}
    manifest = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "assay-planted-ubuntu"},
        "spec": spec,
    }
    with plant.apply(manifest) as ref:
        yield ref


@violation()
def release_behind(plant: Plant) -> Iterator[Named]:
    """A worker runs a Talos release that is not the pinned one."""
    yield from other_image(plant)


@violation()
def server_apart(plant: Plant) -> Iterator[Named]:
    """A server that Terraform's state lists and that is not a node of the cluster."""
    attributes = {"name": "assay-planted-apart", "ipv4_address": "192.0.2.99", "image": "debian-12"}
    server = {
        "mode": "managed",
        "type": "hcloud_server",
        "name": "apart",
        "instances": [{"attributes": attributes}],
    }
    state = {"version": 4, "terraform_version": "1.9.8", "resources": [server]}
    with plant.added("state", "planted.tfstate", json.dumps(state)):
        yield Named("Server assay-planted-apart")
