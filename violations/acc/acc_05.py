"""ACC-05: a gate that only warns, overlooks something, or can be walked around by a namespace."""

from collections.abc import Iterator
from contextlib import ExitStack

from assay.model import Named
from assay.probes.kube.selectors import Labels
from assay.proof.admission_bypass import (
    GateUnderTest,
    label_rules_suspended,
    named_way_out,
    skip_changes,
    skip_containers,
    warn_only,
)
from assay.proof.plant import Plant
from assay.proof.violation import violation


@violation()
def only_warns(plant: Plant) -> Iterator[Named]:
    """The policy warns instead of refusing: everything gets in."""
    yield from warn_only(plant)


@violation()
def ephemeral_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at ephemeral containers."""
    yield from skip_containers(plant, "ephemeral")


@violation()
def init_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at pods that have init containers."""
    yield from skip_containers(plant, "init")


@violation()
def updates_unseen(plant: Plant) -> Iterator[Named]:
    """The gate looks at new objects only: a signed Deployment can be changed to an unsigned image."""
    yield from skip_changes(plant, "Deployment", "request.operation == 'CREATE'")


@violation()
def fails_open(plant: Plant) -> Iterator[Named]:
    """The gate lets everything in when it does not answer."""
    under = GateUnderTest(plant)
    with under.patched_hooks(failurePolicy="Ignore"):
        yield Named("UPDATE pods")


@violation()
def requester_left_out(plant: Plant) -> Iterator[Named]:
    """A condition of the webhook leaves one account out of the gate's sight, one that no binding names."""
    under = GateUnderTest(plant)
    hook = next(under.hooks())
    with under.filtered("request.userInfo.username != 'oidc:eve'"):
        yield Named(f"{hook.ref}: planted")


@violation()
def label_not_forced(plant: Plant) -> Iterator[Named]:
    """Anybody may make a namespace without the label that brings it into the gate's sight."""
    under = GateUnderTest(plant)
    with label_rules_suspended(plant, under, _without(under)):
        yield named_way_out(under, _without(under))


@violation()
def label_that_excludes(plant: Plant) -> Iterator[Named]:
    """Anybody may give a namespace the label by which the webhook passes it over."""
    under = GateUnderTest(plant)
    (labels,) = [one for one in under.gate.outside() if one.items() > under.gate.inside().items()]
    with label_rules_suspended(plant, under, labels):
        yield named_way_out(under, labels)


@violation()
def opt_out_unguarded(plant: Plant) -> Iterator[Named]:
    """The gate checks every namespace without a certain label, and anybody may set that label."""
    under = GateUnderTest(plant)
    skipped = {"matchExpressions": [{"key": "assay.dev/unchecked", "operator": "DoesNotExist"}]}
    with under.patched_hooks(namespaceSelector=skipped):
        patched = GateUnderTest(plant)
        yield named_way_out(patched, {**patched.gate.inside(), "assay.dev/unchecked": "true"})


@violation()
def namespace_outside(plant: Plant) -> Iterator[Named]:
    """A namespace without the label, left over from a time when nobody forced it."""
    under = GateUnderTest(plant)
    labels = _without(under)
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "assay-planted-outside", "labels": labels},
    }
    account = ("v1", "ServiceAccount", "assay-planted-outside", "default")
    with ExitStack() as undo:
        with label_rules_suspended(plant, under, labels):
            ref = undo.enter_context(plant.apply(manifest))
        plant.await_object(*account, ready=bool)
        yield ref


def _without(under: GateUnderTest) -> Labels:
    """Return labels outside the gate that lack one of those inside."""
    return min(under.gate.outside(), key=len)
