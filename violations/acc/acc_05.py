"""ACC-05: a gate that only warns, overlooks something, or can be walked around by a namespace."""

from collections.abc import Iterator
from contextlib import ExitStack

from assay.model import Named
from assay.probes.kube.gate import way_out
from assay.proof.admission_bypass import opt_in_lifted, skip_containers, trial, warn_only
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def only_warns(plant: Plant) -> Iterator[Named]:
    """The image policy warns instead of refusing, so everything is admitted."""
    yield from warn_only(plant, trial(plant, "Pod", "container", "unsigned"))


@violation()
def ephemeral_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check ephemeral containers."""
    yield from skip_containers(plant, "ephemeral")


@violation()
def init_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check pods that have init containers."""
    yield from skip_containers(plant, "init")


@violation()
def label_not_forced(plant: Plant) -> Iterator[Named]:
    """A namespace can be made without the label that switches the gate on."""
    with opt_in_lifted(plant):
        yield Named(way_out("namespace without the label", plant.profile.kube.apiservers[0]))


@violation()
def namespace_outside(plant: Plant) -> Iterator[Named]:
    """A namespace without the label that switches the gate on, made before the label was required."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "assay-planted-outside"}}
    account = ("v1", "ServiceAccount", "assay-planted-outside", "default")
    with ExitStack() as undo:
        with opt_in_lifted(plant):
            ref = undo.enter_context(plant.apply(manifest))
        plant.await_object(*account, ready=bool)
        yield ref
