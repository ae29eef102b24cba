"""SEC-02: a gate that overlooks one kind, one container, one variant, one change, one requester."""

from collections.abc import Iterator

from assay.model import Named
from assay.probes.kube.registrations import RULE
from assay.probes.kube.requesters import Requester
from assay.probes.kube.shapes import VOLUME
from assay.proof.admission_bypass import (
    REGISTRATION,
    GateUnderTest,
    filtered,
    skip_changes,
    skip_containers,
)
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.kube_decoy import controller_pod


UPDATES = "request.operation == 'UPDATE'"


@violation()
def ephemeral_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at ephemeral containers."""
    yield from skip_containers(plant, "ephemeral")


@violation()
def init_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at pods that have init containers."""
    yield from skip_containers(plant, "init")


@violation()
def job_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at Jobs."""
    yield from _kind_unseen(plant, "Job")


@violation()
def deployment_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at Deployments."""
    yield from _kind_unseen(plant, "Deployment")


def _kind_unseen(plant: Plant, kind: str) -> Iterator[Named]:
    tried = GateUnderTest(plant).trial(kind, "container")
    yield from filtered(plant, f"request.kind.kind != '{kind}'", tried)


def _image_unseen(plant: Plant, variant: str) -> Iterator[Named]:
    tried = GateUnderTest(plant).trial("Pod", "container", variant)
    part = tried.image.rpartition("@")[2] if "@" in tried.image else tried.image.rpartition(":")[0]
    match = f"has(object.spec.containers) && object.spec.containers.exists(c, c.image.contains('{part}'))"
    yield from filtered(plant, f"!({match})", tried)


@violation()
def other_key(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in that another key signed."""
    yield from _image_unseen(plant, "otherkey")


@violation()
def other_digest(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in whose signature is for another digest."""
    yield from _image_unseen(plant, "otherdigest")


@violation()
def moved_tag(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in whose tag was moved after it had been signed."""
    yield from _image_unseen(plant, "tagmoved")


@violation()
def pod_updates_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at changes of a pod that is there."""
    yield from skip_changes(plant, "Pod", f"!({UPDATES} && request.kind.kind == 'Pod')")


@violation()
def cron_job_updates_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at changes of a CronJob."""
    yield from skip_changes(plant, "CronJob", f"!({UPDATES} && request.kind.kind == 'CronJob')")


@violation()
def updates_not_registered(plant: Plant) -> Iterator[Named]:
    """The webhook is registered for new objects only, and its controller may not put that right."""
    under = GateUnderTest(plant)
    name = next(under.hooks()).configuration
    with under.bypassed(under.changing("StatefulSet")) as open_now, under.controller_held():
        found = plant.kube.get(REGISTRATION, "ValidatingWebhookConfiguration", "", name) or {}
        rules = [{**rule, "operations": ["CREATE"]} for rule in found["webhooks"][0]["rules"]]
        with under.patched_hooks(rules=rules):
            open_now()
            yield under.named_change("StatefulSet")


@violation()
def requester_exempt(plant: Plant) -> Iterator[Named]:
    """The gate does not look at what one controller's account makes."""
    yield from _requester_exempt(
        plant, Requester("ServiceAccount", "kube-system/job-controller"), "Pod container unsigned"
    )


@violation()
def administrators_exempt(plant: Plant) -> Iterator[Named]:
    """The gate does not look at what a group of administrators changes."""
    under, who = GateUnderTest(plant), Requester("Group", "system:masters")
    asked = "'system:masters' in request.userInfo.groups && request.userInfo.username == 'assay-requester'"
    expression = f"!({asked} && {UPDATES})"
    with under.bypassed(lambda decoy: under.by(who)(decoy)[1:2]) as open_now, under.filtered(expression):
        open_now()
        yield Named(f"ReplicaSet container changed to unsigned by {who.ref} at {under.kube.apiservers[1]}")


def _requester_exempt(plant: Plant, who: Requester, what: str) -> Iterator[Named]:
    under = GateUnderTest(plant)
    expression = f"request.userInfo.username != '{who.headers['Impersonate-User']}'"
    with under.bypassed(under.by(who)) as open_now, under.filtered(expression):
        open_now()
        yield Named(f"{what} by {who.ref} at {under.server}")


@violation()
def label_exempts(plant: Plant) -> Iterator[Named]:
    """The gate does not look at objects with a label, and anybody may put it on one."""
    under = GateUnderTest(plant)
    skipped = {"matchExpressions": [{"key": "assay.dev/skip", "operator": "DoesNotExist"}]}
    with under.patched_hooks(objectSelector=skipped):
        yield Named(f"Pod container unsigned with assay.dev/skip=true at {under.server}")


@violation()
def controller_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at pods that a controller asks for in its own name."""
    who = "system:serviceaccount:kube-system:replication-controller"
    with GateUnderTest(plant).filtered(f"request.userInfo.username != '{who}'"):
        yield Named(controller_pod("unsigned"))


@violation()
def volume_unseen(plant: Plant) -> Iterator[Named]:
    """Nobody refuses an image that is mounted as a volume; the rule for digests still stands."""
    under = GateUnderTest(plant)
    tried = under.trial("Pod", VOLUME)
    (name,) = {hook.configuration for hook in under.gate.hooks if not hook.verifies}
    found = plant.kube.get(REGISTRATION, RULE, "", name) or {"spec": {"validations": []}}
    rest = [rule for rule in found["spec"]["validations"] if "volumes" not in rule["expression"]]
    with (
        under.bypassed(under.asking(tried)) as open_now,
        plant.patched(RULE, "", name, {"spec": {"validations": rest}}, api_version=REGISTRATION),
    ):
        open_now()
        yield under.named(tried)
