"""NODE-04: namespaces that enforce less than they must."""

from collections.abc import Iterator

from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.violation import violation


ENFORCE = "pod-security.kubernetes.io/enforce"


@violation()
def privileged(plant: Plant) -> Iterator[Named]:
    """A namespace that lets everything in."""
    with plant.namespace("assay-planted-open", {**plant.gated, ENFORCE: "privileged"}) as ref:
        yield ref


@violation()
def only_baseline(plant: Plant) -> Iterator[Named]:
    """An application namespace that lets pods run as root."""
    with plant.namespace("assay-planted-baseline", {**plant.gated, ENFORCE: "baseline"}) as ref:
        yield ref


@violation()
def old_rules(plant: Plant) -> Iterator[Named]:
    """A namespace that is restricted by the rules of an old version, which forbid less."""
    labels = {**plant.gated, ENFORCE: "restricted", f"{ENFORCE}-version": "v1.18"}
    with plant.namespace("assay-planted-old", labels) as ref:
        yield ref
