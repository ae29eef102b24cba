"""NODE-04: namespaces that enforce less than they must."""

from collections.abc import Iterator

from assay.model import Named
from assay.probes.kube.gate import OPT_IN
from assay.proof.plant import Plant
from assay.proof.violation import violation


ENFORCE = "pod-security.kubernetes.io/enforce"


@violation()
def privileged(plant: Plant) -> Iterator[Named]:
    """A namespace that admits privileged pods."""
    with plant.namespace("assay-planted-open", {**OPT_IN, ENFORCE: "privileged"}) as ref:
        yield ref


@violation()
def only_baseline(plant: Plant) -> Iterator[Named]:
    """An application namespace that admits pods that run as root."""
    with plant.namespace("assay-planted-baseline", {**OPT_IN, ENFORCE: "baseline"}) as ref:
        yield ref


@violation()
def old_rules(plant: Plant) -> Iterator[Named]:
    """A namespace that enforces the restricted rules of an old version, which forbid less."""
    labels = {**OPT_IN, ENFORCE: "restricted", f"{ENFORCE}-version": "v1.18"}
    with plant.namespace("assay-planted-old", labels) as ref:
        yield ref
