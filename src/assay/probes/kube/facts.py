"""What Kubernetes objects say, as frozen facts: pods, workload templates, nodes, namespaces.

No client in here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.quantity import quantity
from assay.probes.kube.fields import Object, mapping_at, mappings_at, metadata_of, strings_at
from assay.probes.kube.placement import NodeRequirement, node_terms


CONTROL_PLANE = "node-role.kubernetes.io/control-plane"  # as the kubelet labels one
SIZES = ("cpu", "memory")


@dataclass(frozen=True, slots=True)
class Resources:
    """Requests and limits by resource name, exact values."""

    requests: Mapping[str, Fraction]
    limits: Mapping[str, Fraction]

    @property
    def unsized(self) -> tuple[str, ...]:
        """Return what is missing of cpu and memory, for example `("limits.cpu",)`; zero counts as missing."""
        sides = (("requests", self.requests), ("limits", self.limits))
        return tuple(f"{side}.{size}" for side, given in sides for size in SIZES if given.get(size, 0) <= 0)

    @property
    def guaranteed(self) -> bool:
        """Return True if cpu and memory are there, above zero, with requests equal to limits."""
        return not self.unsized and all(self.requests[size] == self.limits[size] for size in SIZES)


@dataclass(frozen=True, slots=True)
class Container:
    """One container at its place.

    `place` is `container`, `init`, `sidecar` (an init container that stays) or `ephemeral`.
    """

    name: str
    place: str
    image: str
    resources: Resources
    volumes: frozenset[str]


@dataclass(frozen=True, slots=True)
class TokenVolume:
    """A volume that projects a service account token.

    Its name, the audience (empty: the API itself) and the token's life in seconds.
    """

    volume: str
    audience: str
    seconds: int

    @property
    def for_api(self) -> bool:
        """Return True if the token's audience is the Kubernetes API; unclear audiences count as it."""
        return not self.audience or "kubernetes" in self.audience or self.audience.endswith(":6443")


@dataclass(frozen=True, slots=True)
class PodShape:
    """What a pod specification asks for, live or in a template.

    `node_terms` are the alternatives of its required node affinity, each a set of requirements.
    """

    containers: tuple[Container, ...]
    resources: Resources
    service_account: str
    tokens: tuple[TokenVolume, ...]
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, str], ...]
    node_terms: tuple[tuple[NodeRequirement, ...], ...] = ()

    @property
    def sized_places(self) -> tuple[Container, ...]:
        """Return every container that may carry resources: all but the ephemeral ones."""
        return tuple(container for container in self.containers if container.place != "ephemeral")

    @property
    def unsized(self) -> tuple[str, ...]:
        """Return `container: what is missing` for each container that neither itself nor its pod sizes."""
        if not self.resources.unsized:
            return ()
        return tuple(
            f"{c.name}: no {', '.join(c.resources.unsized)}" for c in self.sized_places if c.resources.unsized
        )

    @property
    def guaranteed(self) -> bool:
        """Return True if the pod as a whole, or else every container of it, has requests equal to limits.

        Init containers and sidecars count.
        """
        if self.resources.requests or self.resources.limits:
            return self.resources.guaranteed
        return all(container.resources.guaranteed for container in self.sized_places)

    @property
    def api_tokens(self) -> tuple[TokenVolume, ...]:
        """Return the API tokens that some container really mounts."""
        mounted = frozenset().union(*(container.volumes for container in self.containers))
        return tuple(token for token in self.tokens if token.for_api and token.volume in mounted)


@dataclass(frozen=True, slots=True)
class Pod:
    """One live pod. `owner` is `Kind name` of its controller, empty for a bare pod.

    `mirror` marks a static pod's shadow.
    """

    namespace: str
    name: str
    shape: PodShape
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    node: str
    phase: str
    qos: str
    owner: str
    mirror: bool

    @property
    def ref(self) -> str:
        """Return `Pod namespace/name`."""
        return f"Pod {self.namespace}/{self.name}"

    @property
    def finished(self) -> bool:
        """Return True if the pod will never run again (phase Succeeded or Failed)."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def everywhere(self) -> bool:
        """Return True for a pod of a DaemonSet: one runs on every node, that is its purpose."""
        return self.owner.startswith("DaemonSet ")

    @property
    def mounts_token(self) -> bool:
        """Return True if a container mounts a token for the Kubernetes API."""
        return bool(self.shape.api_tokens)

    def declares_api(self, annotation: str) -> bool:
        """Return True if an annotation of this name says why the pod calls the Kubernetes API."""
        return bool(self.annotations.get(annotation, "").strip())

    @property
    def account(self) -> str:
        """Return the service account as `namespace/name`."""
        return f"{self.namespace}/{self.shape.service_account or 'default'}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One object that makes pods, from Deployment to CronJob, with the shape of its pods.

    `labels` and `annotations` are its own, and where it has none of that name those that its pods get.
    """

    kind: str
    namespace: str
    name: str
    shape: PodShape
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: str

    @property
    def ref(self) -> str:
        """Return `Kind namespace/name`."""
        return f"{self.kind} {self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Taint:
    """A live taint of a node."""

    key: str
    value: str
    effect: str

    @property
    def repels(self) -> bool:
        """Return True if pods that do not tolerate it are kept from being placed."""
        return self.effect in {"NoSchedule", "NoExecute"}


@dataclass(frozen=True, slots=True)
class KubeNode:
    """One node as the API has it; `addresses` are (type, address) pairs."""

    name: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    os_image: str
    kubelet: str
    ready: bool
    unschedulable: bool
    addresses: tuple[tuple[str, str], ...]

    @property
    def ref(self) -> str:
        """Return `Node name`."""
        return f"Node {self.name}"


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace; `active` is False once it is being deleted."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active: bool

    @property
    def ref(self) -> str:
        """Return `Namespace name`."""
        return f"Namespace {self.name}"


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A Secret that holds a long-lived service account token; its value is never read."""

    namespace: str
    name: str

    @property
    def ref(self) -> str:
        """Return `Secret namespace/name`."""
        return f"Secret {self.namespace}/{self.name}"


def pod(item: Object) -> Pod:
    """Return the facts of a v1 Pod object."""
    meta, spec, status = metadata_of(item), mapping_at(item, "spec"), mapping_at(item, "status")
    annotations = strings_at(meta, "annotations")
    return Pod(
        namespace=str(meta.get("namespace", "")),
        name=str(meta.get("name", "")),
        shape=shape(spec),
        labels=strings_at(meta, "labels"),
        annotations=annotations,
        node=str(spec.get("nodeName", "")),
        phase=str(status.get("phase", "")),
        qos=str(status.get("qosClass", "")),
        owner=owner(meta),
        mirror="kubernetes.io/config.mirror" in annotations,
    )


def workload(kind: str, item: Object) -> Workload:
    """Return the facts of an object of `kind` that holds a pod template."""
    meta, spec = metadata_of(item), mapping_at(item, "spec")
    if kind == "CronJob":
        spec = mapping_at(mapping_at(spec, "jobTemplate"), "spec")
    template = mapping_at(spec, "template")
    made = mapping_at(template, "metadata")
    return Workload(
        kind=kind,
        namespace=str(meta.get("namespace", "")),
        name=str(meta.get("name", "")),
        shape=shape(mapping_at(template, "spec")),
        labels={**strings_at(made, "labels"), **strings_at(meta, "labels")},
        annotations={**strings_at(made, "annotations"), **strings_at(meta, "annotations")},
        owner=owner(meta),
    )


def node(item: Object) -> KubeNode:
    """Return the facts of a v1 Node object."""
    meta, spec, status = metadata_of(item), mapping_at(item, "spec"), mapping_at(item, "status")
    info = mapping_at(status, "nodeInfo")
    ready = any(
        c.get("type") == "Ready" and c.get("status") == "True" for c in mappings_at(status, "conditions")
    )
    taints = tuple(
        Taint(str(t.get("key", "")), str(t.get("value", "")), str(t.get("effect", "")))
        for t in mappings_at(spec, "taints")
    )
    return KubeNode(
        name=str(meta.get("name", "")),
        labels=strings_at(meta, "labels"),
        taints=taints,
        os_image=str(info.get("osImage", "")),
        kubelet=str(info.get("kubeletVersion", "")),
        ready=ready,
        unschedulable=bool(spec.get("unschedulable", False)),
        addresses=tuple(
            (str(a.get("type")), str(a.get("address"))) for a in mappings_at(status, "addresses")
        ),
    )


def namespace(item: Object) -> Namespace:
    """Return the facts of a v1 Namespace object."""
    meta = metadata_of(item)
    active = mapping_at(item, "status").get("phase") != "Terminating" and "deletionTimestamp" not in meta
    return Namespace(
        str(meta.get("name", "")), strings_at(meta, "labels"), strings_at(meta, "annotations"), active
    )


def marked(thing: Pod | Workload | Namespace, mark: str) -> bool:
    """Return True if a label or an annotation named `mark` says `true` of a thing."""
    return "true" in {thing.labels.get(mark), thing.annotations.get(mark)}


@parsing("a pod specification")
def shape(spec: Object) -> PodShape:
    """Return what a pod specification asks for."""
    init = mappings_at(spec, "initContainers")
    containers = [container("sidecar" if c.get("restartPolicy") == "Always" else "init", c) for c in init]
    containers += [container("container", c) for c in mappings_at(spec, "containers")]
    containers += [container("ephemeral", c) for c in mappings_at(spec, "ephemeralContainers")]
    if not any(c.place == "container" for c in containers):
        raise ProbeError("a pod specification without containers", "the answer is not whole; ask again")
    return PodShape(
        containers=tuple(containers),
        resources=pod_resources(mapping_at(spec, "resources")),
        service_account=str(spec.get("serviceAccountName", "")),
        tokens=tuple(_tokens(spec)),
        node_selector=strings_at(spec, "nodeSelector"),
        tolerations=tuple(dict(t) for t in mappings_at(spec, "tolerations")),
        node_terms=tuple(node_terms(spec)),
    )


def container(place: str, item: Object) -> Container:
    """Return the facts of one container at `place`."""
    volumes = frozenset(str(mount.get("name", "")) for mount in mappings_at(item, "volumeMounts"))
    return Container(
        str(item.get("name", "")),
        place,
        str(item.get("image", "")),
        pod_resources(mapping_at(item, "resources")),
        volumes,
    )


def pod_resources(item: Object) -> Resources:
    """Return requests and limits.

    A request that is not given is its limit, as the API server itself fills it in.
    """
    limits = {name: quantity(value) for name, value in mapping_at(item, "limits").items()}
    requests = {name: quantity(value) for name, value in mapping_at(item, "requests").items()}
    return Resources({**limits, **requests}, limits)


def _tokens(spec: Object) -> Iterable[TokenVolume]:
    for volume in mappings_at(spec, "volumes"):
        for source in mappings_at(mapping_at(volume, "projected"), "sources"):
            token = source.get("serviceAccountToken")
            if token is not None:
                yield TokenVolume(
                    str(volume.get("name", "")),
                    str(token.get("audience", "")),
                    int(token.get("expirationSeconds", 3600)),
                )


def owner(meta: Object) -> str:
    """Return `Kind name` of the controller in an object's metadata, empty where there is none."""
    for reference in mappings_at(meta, "ownerReferences"):
        if reference.get("controller"):
            return f"{reference.get('kind')} {reference.get('name')}"
    return ""
