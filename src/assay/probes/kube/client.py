"""The Kubernetes API, read, and every API server asked by its own address.

The only module that imports the kubernetes client.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_kube_config
from urllib3 import Timeout
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from assay.config.profile import Profile
from assay.errors import GuardError, ProbeError
from assay.formats.parsing import WRONG, parsing
from assay.model import Attempt
from assay.probes.kube import facts as kube_facts
from assay.probes.kube import fields
from assay.probes.kube import rbac as kube_rbac
from assay.probes.kube.facts import KubeNode, Namespace, Pod, StoredToken, Workload
from assay.probes.kube.paths import collection, collection_of, one
from assay.probes.kube.rbac import Grant
from assay.probes.kube.shapes import KINDS
from assay.probes.kube.wire import NAMES_ONLY, STRATEGIC, ApiAnswer, Door, Wire


T = TypeVar("T")
Seconds = tuple[float, float]
CONNECT, READ = 5.0, 40.0
AT_ONCE = 8
DRY = "?dryRun=All"
TEMPLATED = (*KINDS[1:], "ReplicationController")
TRUST = ("ssl_ca_cert", "ca_cert_data")  # the second one exists in later clients only
REVIEW = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
__all__ = ["Kube", "WhoAmI", "door"]


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


def door(
    kubeconfig: Path, server: str = "", credentials: bool = True, timeout: Seconds = (CONNECT, READ)
) -> tuple[str, Door]:
    """Return the server's address and a function that sends one request to it.

    Args:
        kubeconfig: file with the CA and the client's credential.
        server: address to ask; empty: the kubeconfig's own.
        credentials: False keeps the CA and leaves out who we are.
        timeout: seconds to connect, seconds to read.

    Raises:
        ProbeError: the kubeconfig cannot be used.
    """
    known = _configuration(kubeconfig)
    host = (server or known.host).rstrip("/")
    trust = {key: getattr(known, key) for key in TRUST if hasattr(known, key)}
    asked = Configuration(host=host, **trust)
    asked.verify_ssl = True
    if credentials:
        asked.cert_file, asked.key_file = known.cert_file, known.key_file
    secret = known.get_api_key_with_prefix("BearerToken", alias="authorization") if credentials else None
    client = ApiClient(configuration=asked)

    def send(method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, bytes]:
        all_headers = {"User-Agent": "assay", **({"Authorization": secret} if secret else {}), **headers}
        try:
            reply = client.rest_client.pool_manager.request(
                method,
                f"{host}{path}",
                headers=all_headers,
                body=body,
                timeout=Timeout(connect=timeout[0], read=timeout[1]),
                redirect=False,
                retries=False,
            )
            return int(reply.status), bytes(reply.data)
        except (HTTPError, ApiException, OSError) as problem:
            raise unreachable(host, method, path, problem) from problem

    return host, send


def _configuration(kubeconfig: Path) -> Configuration:
    known = Configuration()
    try:
        load_kube_config(str(kubeconfig), client_configuration=known, persist_config=False)
    except (ConfigException, YAMLError, OSError, *WRONG) as problem:
        message = f"{kubeconfig.name}: no usable kubeconfig: {type(problem).__name__}"
        raise ProbeError(message, "check [kube] kubeconfig in the profile") from problem
    return known


def unreachable(server: str, method: str, path: str, problem: Exception) -> ProbeError:
    """Return the one-line complaint, with a remedy, for a request that got no whole answer."""
    words = " ".join(str(problem).split())
    for sign, cause, remedy in (
        ("certificate has expired", "its certificate has expired", "renew the API server's certificate"),
        (
            "CERTIFICATE_VERIFY_FAILED",
            "its certificate does not verify",
            "check the CA in the kubeconfig and the certificate's names",
        ),
        ("sslv3 alert", "it refused the client certificate", "renew the credential of the kubeconfig"),
        ("tlsv1", "it refused the client certificate", "renew the credential of the kubeconfig"),
        ("timed out", "no answer in time", "is the API server overloaded, or a firewall in between?"),
        ("IncompleteRead", "the answer broke off", "ask again; is a proxy in between?"),
        ("refused", "connection refused", "is the API server running at this address?"),
    ):
        if sign in words:
            return ProbeError(f"{server}: {method} {path}: {cause}", remedy)
    return ProbeError(
        f"{server}: {method} {path}: {type(problem).__name__}", "is the API server reachable from here?"
    )


class Kube:
    """The cluster's objects, each list read to its end, as frozen facts. Nothing is kept between calls."""

    def __init__(
        self,
        kubeconfig: Path,
        apiservers: tuple[str, ...] = (),
        uid: str = "",
        timeout: Seconds = (CONNECT, READ),
    ) -> None:
        """Ask with the credential in `kubeconfig`; `uid` is the cluster that must answer."""
        self._kubeconfig, self._apiservers, self._uid, self._timeout = kubeconfig, apiservers, uid, timeout
        self.at = cache(self._at)

    @classmethod
    def from_profile(cls, profile: Profile) -> Kube:
        """Return the probe for the stack of `profile`; no connection is opened.

        Raises:
            ProbeError: the profile names no readable kubeconfig.
        """
        return cls(profile.need_path("kube.kubeconfig"), profile.kube.apiservers, profile.cluster_uid)

    def _at(self, server: str = "", credentials: bool = True) -> Wire:
        return Wire(*door(self._kubeconfig, server, credentials, self._timeout))

    @property
    def wire(self) -> Wire:
        """Return the connection to the address that the kubeconfig names, usually the load balancer."""
        return self.at()

    @property
    def apiservers(self) -> tuple[str, ...]:
        """Return every API server's own address, as the profile lists them.

        Raises:
            ProbeError: the profile lists none.
        """
        if not self._apiservers:
            raise ProbeError(
                "the profile lists no API servers",
                "set apiservers under [kube], one address per control plane",
            )
        return self._apiservers

    def cluster_uid(self) -> str:
        """Return the UID of namespace kube-system, the cluster's identity."""
        return str(
            fields.mapping_at(self.wire.get(one("Namespace", "", "kube-system")), "metadata").get("uid", "")
        )

    def authority(self) -> str:
        """Return the SHA-256, in hexadecimal, of the CA certificate (DER) by which the API is known.

        Empty where the kubeconfig names none of its own.

        Raises:
            ProbeError: the kubeconfig cannot be used, or its CA is no certificate.
        """
        path = _configuration(self._kubeconfig).ssl_ca_cert
        if not path:
            return ""
        try:
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(path).read_text("ascii"))).hexdigest()
        except (OSError, ValueError) as problem:
            message = f"{self._kubeconfig.name}: its CA is no certificate: {type(problem).__name__}"
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
        known = _configuration(self._kubeconfig)
        asked = Configuration(
            host=server, **{key: getattr(known, key) for key in TRUST if hasattr(known, key)}
        )
        pool = ApiClient(configuration=asked).rest_client.pool_manager
        try:
            reply = pool.request("GET", f"{server}/version", timeout=Timeout(*self._timeout), retries=False)
            return parsedate_to_datetime(reply.headers["Date"])
        except (HTTPError, OSError, *WRONG) as problem:
            raise unreachable(server, "GET", "/version", problem) from problem

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

    @parsing("the cluster's bindings")
    def grants(self) -> list[Grant]:
        """Return one Grant per subject of every RoleBinding and ClusterRoleBinding, rules resolved."""
        roles = kube_rbac.by_name(
            [*self.wire.items(collection("ClusterRole")), *self.wire.items(collection("Role"))]
        )
        kinds = ("ClusterRoleBinding", "RoleBinding")
        return [
            grant
            for kind in kinds
            for item in self.wire.items(collection(kind))
            for grant in kube_rbac.grants(kind, item, roles)
        ]

    def objects(
        self, kind: str, namespace: str = "", version: str = "", **selectors: str
    ) -> list[Mapping[str, Any]]:
        """Return every object of `kind` as the API writes it; for kinds that have no facts class here."""
        return self.wire.items(collection(kind, namespace, version), **selectors)

    def dry_run(self, apiserver: str, manifest: Mapping[str, Any], ref: str) -> Attempt:
        """Return whether one API server would admit the creation of `manifest`.

        All of admission runs, nothing is stored.
        """
        return self.at(apiserver).attempt(ref, "POST", f"{collection_of(manifest)}{DRY}", manifest)

    def dry_run_ephemeral(self, apiserver: str, pod: Pod, container: Mapping[str, Any], ref: str) -> Attempt:
        """Return whether one API server would let an ephemeral `container` into a live `pod`.

        Nothing is stored.
        """
        path = f"{one('Pod', pod.namespace, pod.name)}/ephemeralcontainers{DRY}"
        return self.at(apiserver).attempt(
            ref, "PATCH", path, {"spec": {"ephemeralContainers": [container]}}, STRATEGIC
        )

    def together(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """Return the results of several questions asked at once, in their order.

        The first error is raised.
        """
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

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

    def service_token(self, namespace: str, account: str, audience: str, seconds: int = 600) -> str:
        """Return a short-lived token of a service account for one audience; nothing is stored.

        Raises:
            ProbeError: no such account, or no right to ask for its tokens.
        """
        path = f"{one('ServiceAccount', namespace, account)}/token"
        wanted = {"audiences": [audience], "expirationSeconds": seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        made = self.wire.need(self.wire.ask("POST", path, body), "POST", path).body
        return str(fields.mapping_at(made, "status").get("token", ""))

    def anonymous(self, apiserver: str, path: str) -> ApiAnswer:
        """Return what one API server answers to a caller without any credential."""
        return self.at(apiserver, False).ask("GET", path)
