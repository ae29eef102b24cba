"""SEC-02: a gate that overlooks one kind, one container, one variant, one requester."""

from collections.abc import Iterator
from contextlib import contextmanager

from assay.holes import controller_pod, first_named, trial, unseen
from assay.plant import Named, Plant


@contextmanager
def ephemeral_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at ephemeral containers."""
    tried = trial(plant, "Pod", "ephemeral", "unsigned")
    with unseen(plant, "!(has(request.subResource) && request.subResource == 'ephemeralcontainers')", tried):
        yield first_named(plant, tried)


@contextmanager
def init_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at pods that have init containers."""
    tried = trial(plant, "Pod", "init", "unsigned")
    with unseen(plant, "!(request.kind.kind == 'Pod' && has(object.spec.initContainers))", tried):
        yield first_named(plant, tried)


@contextmanager
def job_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at Jobs."""
    tried = trial(plant, "Job", "container", "unsigned")
    with unseen(plant, "request.kind.kind != 'Job'", tried):
        yield first_named(plant, tried)


@contextmanager
def deployment_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at Deployments."""
    tried = trial(plant, "Deployment", "container", "unsigned")
    with unseen(plant, "request.kind.kind != 'Deployment'", tried):
        yield first_named(plant, tried)


@contextmanager
def _image_unseen(plant: Plant, variant: str) -> Iterator[Named]:
    tried = trial(plant, "Pod", "container", variant)
    part = tried.image.rpartition("@")[2] if "@" in tried.image else tried.image.rpartition(":")[0]
    match = f"has(object.spec.containers) && object.spec.containers.exists(c, c.image.contains('{part}'))"
    with unseen(plant, f"!({match})", tried):
        yield first_named(plant, tried)


@contextmanager
def other_key(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in that another key signed."""
    with _image_unseen(plant, "otherkey") as named:
        yield named


@contextmanager
def other_digest(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in whose signature is for another digest."""
    with _image_unseen(plant, "otherdigest") as named:
        yield named


@contextmanager
def moved_tag(plant: Plant) -> Iterator[Named]:
    """The gate lets an image in whose tag was moved after it had been signed."""
    with _image_unseen(plant, "tagmoved") as named:
        yield named


@contextmanager
def controller_unseen(plant: Plant) -> Iterator[Named]:
    """The gate does not look at pods that a controller asks for in its own name."""
    who = "system:serviceaccount:kube-system:replication-controller"
    with unseen(plant, f"request.userInfo.username != '{who}'"):
        yield Named(controller_pod("unsigned"))


PLANTED = [
    ephemeral_unseen,
    init_unseen,
    job_unseen,
    deployment_unseen,
    other_key,
    other_digest,
    moved_tag,
    controller_unseen,
]
