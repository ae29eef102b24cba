"""SEC-02: a gate that overlooks one kind, one container, one variant, one requester."""

from collections.abc import Iterator

from assay.model import Named
from assay.probes.kube.shapes import VOLUME
from assay.proof.admission_bypass import (
    REGISTRATION,
    admitted,
    first_named,
    skip_containers,
    trial,
    webhook_filtered,
)
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.kube_decoy import controller_pod


@violation()
def ephemeral_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check ephemeral containers."""
    yield from skip_containers(plant, "ephemeral")


@violation()
def init_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check pods that have init containers."""
    yield from skip_containers(plant, "init")


@violation()
def job_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check Jobs."""
    yield from _kind_unseen(plant, "Job")


@violation()
def deployment_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check Deployments."""
    yield from _kind_unseen(plant, "Deployment")


def _kind_unseen(plant: Plant, kind: str) -> Iterator[Named]:
    tried = trial(plant, kind, "container", "unsigned")
    with webhook_filtered(plant, f"request.kind.kind != '{kind}'", tried):
        yield first_named(plant, tried)


def _image_unseen(plant: Plant, variant: str) -> Iterator[Named]:
    tried = trial(plant, "Pod", "container", variant)
    part = tried.image.rpartition("@")[2] if "@" in tried.image else tried.image.rpartition(":")[0]
    match = f"has(object.spec.containers) && object.spec.containers.exists(c, c.image.contains('{part}'))"
    with webhook_filtered(plant, f"!({match})", tried):
        yield first_named(plant, tried)


@violation()
def other_key(plant: Plant) -> Iterator[Named]:
    """The gate admits an image that was signed with another key."""
    yield from _image_unseen(plant, "otherkey")


@violation()
def other_digest(plant: Plant) -> Iterator[Named]:
    """The gate admits an image whose signature belongs to another digest."""
    yield from _image_unseen(plant, "otherdigest")


@violation()
def moved_tag(plant: Plant) -> Iterator[Named]:
    """The gate admits an image whose tag was moved after it was signed."""
    yield from _image_unseen(plant, "tagmoved")


@violation()
def controller_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not check pods that a controller makes."""
    who = "system:serviceaccount:kube-system:replication-controller"
    with webhook_filtered(plant, f"request.userInfo.username != '{who}'"):
        yield Named(controller_pod("unsigned"))


@violation()
def volume_unseen(plant: Plant) -> Iterator[Named]:
    """An unsigned image mounted as a volume is not refused; the rule for digests still holds."""
    tried = trial(plant, "Pod", VOLUME, "unsigned")
    kind, name = "ValidatingAdmissionPolicy", "images-by-digest"
    found = plant.kube.get(REGISTRATION, kind, "", name) or {"spec": {"validations": []}}
    rest = [rule for rule in found["spec"]["validations"] if "volumes" not in rule["expression"]]
    with plant.patched(kind, "", name, {"spec": {"validations": rest}}, api_version=REGISTRATION):
        plant.await_true(admitted(plant, tried), "image volumes let in")
        yield first_named(plant, tried)
