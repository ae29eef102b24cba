"""The Kubernetes API, read, and every API server asked by its own address."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import GuardError, ProbeError
from assay.formats.parsing import parsing
from assay.probes.guard import Guard
from assay.probes.kube import facts as kube_facts
from assay.probes.kube import fields
from assay.probes.kube import rbac as kube_rbac
from assay.probes.kube.connection import CONNECT_S, READ_S, Seconds, connect, server_time
from assay.probes.kube.discovery import KubeServers, find_apiservers
from assay.probes.kube.facts import KubeNode, Namespace, Pod, StoredToken, Workload
from assay.probes.kube.kubeconfig import open_login
from assay.probes.kube.paths import collection, one
from assay.probes.kube.rbac import Grant, Rbac
from assay.probes.kube.shapes import KINDS
from assay.probes.kube.wire import NAMES_ONLY, ApiAnswer, Wire


T = TypeVar("T")
QUESTIONS_AT_ONCE = 8
TEMPLATED = (*KINDS[1:], "ReplicationController")
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


@dataclass(frozen=True, slots=True)
class WhoAmI:
    """What one API server takes a caller for: HTTP status (201: known), user name and groups."""

    server: str
    status: int
    user: str = ""
    groups: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        """Return `Apiserver address`."""
        return f"Apiserver {self.server}"


class Kube:
    """The cluster's objects, each list read to its end, as frozen facts. Nothing is kept between calls."""

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(
        self,
        kubeconfig: Path,
        apiservers: tuple[str, ...] = (),
        uid: str = "",
        timeout: Seconds = (CONNECT_S, READ_S),
        context: str = "",
        effect: Effect | None = None,
    ) -> None:
        """Ask with the credential of a context in `kubeconfig`; `uid` is the cluster that must answer.

        `apiservers` are the API servers' own addresses; none: those that the cluster lists. `effect` is the
        biggest that a request may have; None: that of the class.
        """
        self._kubeconfig, self._context, self._timeout = kubeconfig, context, timeout
        self._apiservers, self._uid = apiservers, uid
        self._guard = Guard(effect or self.EFFECT)
        self.at = cache(self._at)

    @classmethod
    def from_profile(cls, profile: Profile, effect: Effect | None = None) -> Self:
        """Return the probe for the stack of `profile`; no connection is opened.

        Raises:
            ProbeError: the profile names no readable kubeconfig.
        """
        file, known = profile.need_path("kube.kubeconfig"), profile.kube
        return cls(file, known.apiservers, profile.cluster_uid, context=known.context, effect=effect)

    def _at(self, server: str = "", credentials: bool = True) -> Wire:
        send = connect(self._kubeconfig, server, credentials, self._timeout, self._context)
        return Wire(*send, self._guard)

    def separate(self, server: str = "", timeout: Seconds = (CONNECT_S, READ_S)) -> Wire:
        """Return a connection that shares nothing but the credential with any other.

        Args:
            server: its own address; empty: the one that the kubeconfig names.
            timeout: seconds to connect, seconds to read.
        """
        return Wire(*connect(self._kubeconfig, server, True, timeout, self._context), self._guard)

    @property
    def wire(self) -> Wire:
        """Return the connection to the address that the kubeconfig names, usually the load balancer."""
        return self.at()

    @cached_property
    def servers(self) -> KubeServers:
        """Return every API server's own address: the profile's, else those that the cluster lists.

        Raises:
            ProbeError: the cluster does not list them, or lists fewer than it has control planes.
        """
        if self._apiservers:
            return KubeServers(self._apiservers, "the profile")
        return find_apiservers(self.wire, self.nodes())

    @property
    def apiservers(self) -> tuple[str, ...]:
        """Return every API server's own address; errors as for `servers`."""
        return self.servers.addresses

    def cluster_uid(self) -> str:
        """Return the UID of namespace kube-system, the cluster's identity."""
        return str(
            fields.mapping_at(self.wire.get(one("Namespace", "", "kube-system")), "metadata").get("uid", "")
        )

    def authority(self) -> str:
        """Return the SHA-256, in hexadecimal, of the CA certificate (DER) by which the API is known.

        Empty where the kubeconfig names none of its own.

        Raises:
            ProbeError: the kubeconfig cannot be used, or its CA is not a certificate.
        """
        text = open_login(self._kubeconfig, self._context).context.authority
        try:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(text)).hexdigest() if text else ""
        except ValueError as problem:
            message = f"{self._kubeconfig.name}: its CA is not a certificate: {type(problem).__name__}"
            raise ProbeError(message, "check certificate-authority in the kubeconfig") from problem

    def check_cluster(self) -> None:
        """Check that this is the cluster that the profile means.

        Raises:
            GuardError: another cluster answers.
        """
        if self._uid and self.cluster_uid() != self._uid:
            raise GuardError(
                "another cluster answers than the profile means",
                "check cluster_uid under [stack] and the kubeconfig",
            )

    def version(self, server: str = "") -> str:
        """Return the API server's version, for example `v1.36.3`."""
        return str(self.at(server).get("/version").get("gitVersion", ""))

    def clock(self, server: str) -> dt.datetime:
        """Return an API server's own time, from the Date of an answer (RFC 9110, 6.6.1; to the second).

        Raises:
            ProbeError: it does not answer, or says no time.
        """
        return server_time(open_login(self._kubeconfig, self._context), server, self._timeout)

    def pods(self) -> list[Pod]:
        """Return every pod that has not finished, in all namespaces."""
        found = [kube_facts.pod(item) for item in self.wire.items(collection("Pod"))]
        return [pod for pod in found if not pod.finished]

    def nodes(self) -> list[KubeNode]:
        """Return every node."""
        return [kube_facts.node(item) for item in self.wire.items(collection("Node"))]

    def namespaces(self) -> list[Namespace]:
        """Return every namespace, those being deleted included (`active` is False)."""
        return [kube_facts.namespace(item) for item in self.wire.items(collection("Namespace"))]

    def workloads(self, kinds: Iterable[str] = TEMPLATED) -> list[Workload]:
        """Return every object of `kinds` that has a pod template."""
        return [
            kube_facts.workload(kind, item) for kind in kinds for item in self.wire.items(collection(kind))
        ]

    def stored_tokens(self) -> list[StoredToken]:
        """Return every Secret of type service-account-token, by name only: no value is read."""
        items = self.wire.items(
            collection("Secret"), NAMES_ONLY, fieldSelector="type=kubernetes.io/service-account-token"
        )
        metas = [fields.metadata_of(item) for item in items]
        return [StoredToken(str(meta.get("namespace", "")), str(meta["name"])) for meta in metas]

    def grants(self) -> list[Grant]:
        """Return one Grant per subject of every RoleBinding and ClusterRoleBinding, rules resolved."""
        return list(self.rbac().grants)

    @parsing("the cluster's roles and bindings")
    def rbac(self) -> Rbac:
        """Return every grant, rules resolved, and every role."""
        roles = kube_rbac.by_name(
            [*self.wire.items(collection("ClusterRole")), *self.wire.items(collection("Role"))]
        )
        kinds = ("ClusterRoleBinding", "RoleBinding")
        found = (
            grant
            for kind in kinds
            for item in self.wire.items(collection(kind))
            for grant in kube_rbac.grants(kind, item, roles)
        )
        return Rbac(tuple(found), roles)

    def objects(
        self, kind: str, namespace: str = "", version: str = "", **selectors: str
    ) -> list[Mapping[str, Any]]:
        """Return every object of `kind` as the API writes it; for kinds that have no facts class here."""
        return self.wire.items(collection(kind, namespace, version), **selectors)

    def together(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """Return the results of several questions asked at once, in their order.

        Raises:
            ProbeError: the first that failed, with the other places at which one did.
        """
        with ThreadPoolExecutor(QUESTIONS_AT_ONCE) as pool:
            futures = [pool.submit(call) for call in calls]
        failed = [problem for one in futures if isinstance(problem := one.exception(), ProbeError)]
        places = list(dict.fromkeys(problem.message.partition(": ")[0] for problem in failed))
        if len(places) > 1:
            also = f"{failed[0].message} (also failed: {', '.join(places[1:])})"
            raise ProbeError(also, failed[0].remedy) from failed[0]
        return [future.result() for future in futures]

    @parsing("who the API server takes us for")
    def whoami(self, apiserver: str, token: str = "") -> WhoAmI:
        """Return what one API server takes us for, or, with `token`, the bearer of it.

        Status 401 where it knows nobody.

        Raises:
            ProbeError: any other status than 201, 401 and 403.
        """
        wire = self.at(apiserver, not token)
        answer = wire.ask(
            "POST",
            REVIEW,
            {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"},
            token=token,
        )
        if answer.status in {401, 403}:
            return WhoAmI(apiserver, answer.status)
        user = fields.mapping_at(
            fields.mapping_at(wire.need(answer, "POST", REVIEW).body, "status"), "userInfo"
        )
        return WhoAmI(
            apiserver, answer.status, str(user.get("username", "")), tuple(map(str, user.get("groups") or ()))
        )

    def anonymous(self, apiserver: str, path: str) -> ApiAnswer:
        """Return what one API server answers to a caller without any credential."""
        return self.at(apiserver, False).ask("GET", path)
