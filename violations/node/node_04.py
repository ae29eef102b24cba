"""NODE-04: namespaces that enforce less than they must."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.proof.plant import OPT_IN, Named, Plant


ENFORCE = "pod-security.kubernetes.io/enforce"


@contextmanager
def privileged(plant: Plant) -> Iterator[Named]:
    """A namespace that lets everything in."""
    with plant.namespace("assay-planted-open", {**OPT_IN, ENFORCE: "privileged"}) as ref:
        yield ref


@contextmanager
def only_baseline(plant: Plant) -> Iterator[Named]:
    """An application namespace that lets pods run as root."""
    with plant.namespace("assay-planted-baseline", {**OPT_IN, ENFORCE: "baseline"}) as ref:
        yield ref


@contextmanager
def old_rules(plant: Plant) -> Iterator[Named]:
    """A namespace that is restricted by the rules of an old version, which forbid less."""
    labels = {**OPT_IN, ENFORCE: "restricted", f"{ENFORCE}-version": "v1.18"}
    with plant.namespace("assay-planted-old", labels) as ref:
        yield ref


PLANTED = [privileged, only_baseline, old_rules]
