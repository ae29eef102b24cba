"""NODE-02: something answers on the SSH port of a node, or an extension could."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.node_faults import other_image
from assay.proof.plant import Plant
from assay.proof.violation import violation


SSH = 22
PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}


@violation()
def ssh_port_open(plant: Plant) -> Iterator[Named]:
    """Something listens on port 22 of the last worker, so that looking at one node only would miss it."""
    name = list(plant.profile.talos.workers)[-1]
    with plant.talos_api.listening(name, SSH) as machine:
        yield Named(machine.ref)


@violation()
def extension_added(plant: Plant) -> Iterator[Named]:
    """A worker runs an image with a system extension that gives a shell."""
    yield from other_image(plant)


@violation()
def ssh_by_host_port(plant: Plant) -> Iterator[Named]:
    """A pod takes port 22 of its node: the network plugin forwards it, so no process of the node listens."""
    port = {"containerPort": SSH, "hostPort": SSH}
    with (
        plant.namespace("assay-planted", {**plant.gated, **PRIVILEGED}),
        plant.pod("assay-planted/ssh", container={"ports": [port]}) as ref,
    ):
        yield ref


@violation()
def ssh_by_service(plant: Plant) -> Iterator[Named]:
    """A Service takes port 22 of a node's address."""
    address = list(plant.profile.talos.workers.values())[-1]
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": "assay-planted", "name": "ssh"},
        "spec": {"externalIPs": [address], "ports": [{"port": SSH}], "selector": {"app": "none"}},
    }
    with plant.apply(manifest) as ref:
        yield ref
