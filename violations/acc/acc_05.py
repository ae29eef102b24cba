"""ACC-05: a gate that only warns, overlooks something, or can be walked around by a namespace."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from assay.probes.kube.gate import way_out
from assay.proof.admission_bypass import opt_in_lifted, skip_containers, trial, warn_only
from assay.proof.plant import Named, Plant


@contextmanager
def only_warns(plant: Plant) -> Iterator[Named]:
    """The policy warns instead of refusing: everything gets in."""
    with warn_only(plant, trial(plant, "Pod", "container", "unsigned")) as ref:
        yield ref


def ephemeral_unseen(plant: Plant) -> AbstractContextManager[Named]:
    """The gate does not look at ephemeral containers."""
    return skip_containers(plant, "ephemeral")


def init_unseen(plant: Plant) -> AbstractContextManager[Named]:
    """The gate does not look at pods that have init containers."""
    return skip_containers(plant, "init")


@contextmanager
def label_not_forced(plant: Plant) -> Iterator[Named]:
    """Anybody may make a namespace without the opt-in label."""
    with opt_in_lifted(plant):
        yield Named(way_out("namespace without the label", plant.profile.kube.apiservers[0]))


@contextmanager
def namespace_outside(plant: Plant) -> Iterator[Named]:
    """A namespace without the opt-in label, left over from a time when nobody forced it."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "assay-planted-outside"}}
    account = ("v1", "ServiceAccount", "assay-planted-outside", "default")
    with ExitStack() as undo:
        with opt_in_lifted(plant):
            ref = undo.enter_context(plant.apply(manifest))
        plant.await_object(*account, ready=bool)
        yield ref


PLANTED = [only_warns, ephemeral_unseen, init_unseen, label_not_forced, namespace_outside]
