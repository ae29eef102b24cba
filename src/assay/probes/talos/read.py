"""The Talos machine API, read through talosctl, of several nodes at once.

What os:reader may ask is asked with the reader's credential where the profile has one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from assay.config.profile import Profile
from assay.effect import Effect
from assay.errors import ProbeError
from assay.probes.etcd import EtcdMember, EtcdStatus
from assay.probes.guard import Guard
from assay.probes.net import tls
from assay.probes.talos import configuration, facts
from assay.probes.talos.cert import read_authority
from assay.probes.talos.clients import TalosClients
from assay.probes.talos.facts import (
    Document,
    Extension,
    Listener,
    Machine,
    MachineService,
    Mount,
    TalosVersion,
)
from assay.probes.talos.fleet import CONTROL_PLANE, Fleet, find_fleet


T = TypeVar("T")
API_PORT = 50000
ACTIVE, PERSISTENT = "v1alpha1", "persistent"
ROUTED = "routed-no-k8s"
NODES_AT_ONCE = 8
SNAPSHOT_TIMEOUT_S = 900.0
Missing = Callable[[object, ProbeError], None]
FindFleet = Callable[[Callable[[Machine], list[Document]]], Fleet]


class Talos:
    """Every node's own account of itself."""

    EFFECT: ClassVar[Effect] = Effect.READS

    def __init__(self, clients: TalosClients, find: FindFleet, pinned: str = "") -> None:
        """Ask with the credentials of `clients`.

        Args:
            clients: administrator and reader.
            find: returns the nodes, given a way to ask one for Talos' members; called once, when needed.
            pinned: the version that every node must run; empty: the one that its own configuration installs.
        """
        self.clients, self._find, self.pinned = clients, find, pinned
        self._fleet: Fleet | None = None

    @classmethod
    def from_profile(cls, profile: Profile, effect: Effect | None = None) -> Self:
        """Return the probe for the profile's platform; no node is asked yet.

        Args:
            profile: the stack.
            effect: the biggest that is allowed; None: that of the class.

        Raises:
            ProbeError: the profile lacks talosctl or any credential, or one cannot be read.
        """
        clients = TalosClients.from_profile(profile, Guard(effect or cls.EFFECT))
        return cls(clients, partial(find_fleet, profile), profile.talos.version)

    @property
    def fleet(self) -> Fleet:
        """Return the nodes of the platform, and where each is known from, as they were last looked for.

        Raises:
            ProbeError: no source knows any.
        """
        if self._fleet is None:
            self._fleet = self._find(lambda machine: self.resources(machine, "members"))
        return self._fleet

    @property
    def machines(self) -> tuple[Machine, ...]:
        """Return every node; errors as for `fleet`."""
        return self.fleet.machines

    @property
    def controlplanes(self) -> tuple[Machine, ...]:
        """Return the control planes."""
        return tuple(m for m in self.machines if m.role == CONTROL_PLANE)

    def every(self, unread: Missing) -> tuple[Machine, ...]:
        """Return every node there is now.

        `unread` is told where a source could not be asked, so that some may be missing.

        Raises:
            ProbeError: no source knows any.
        """
        self._fleet = None
        if self.fleet.problem:
            unread("the list of nodes", self.fleet.problem)
        return self.machines

    def each(
        self, machines: Iterable[Machine], ask: Callable[[Machine], T], unread: Missing
    ) -> list[tuple[Machine, T]]:
        """Return (node, answer) for each node that answers, several asked at once, in their order.

        Args:
            machines: the nodes.
            ask: a question, or several after each other.
            unread: is handed each node that did not answer, and why.
        """
        with ThreadPoolExecutor(NODES_AT_ONCE) as pool:
            asked = [(machine, pool.submit(ask, machine)) for machine in machines]
        found = []
        for machine, future in asked:
            try:
                found.append((machine, future.result()))
            except ProbeError as problem:
                unread(machine, problem)
        return found

    def version(self, node: Machine) -> TalosVersion:
        """Return the node's own version answer.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.version(self.clients.least.ask(node, "version", "--json"), f"{node.ref}: version")

    def resources(self, node: Machine, kind: str, *words: str) -> list[Document]:
        """Return the Talos resources of one kind on the node, with `metadata` and `spec`.

        Raises:
            ProbeError: no answer, unknown kind, or another shape.
        """
        return facts.talos_documents(
            self.clients.least.ask(node, "get", kind, *words, "-o", "json"), f"{node.ref}: {kind}"
        )

    def sensitive(self, node: Machine, kind: str, *words: str) -> list[Document]:
        """Return the Talos resources of a kind that os:admin alone may read; else as `resources`."""
        text = self.clients.admin.ask(node, "get", kind, *words, "-o", "json")
        return facts.talos_documents(text, f"{node.ref}: {kind}")

    def services(self, node: Machine) -> list[MachineService]:
        """Return the Talos services of the node; never none.

        Raises:
            ProbeError: no answer, none at all, or another shape.
        """
        what = f"{node.ref}: services"
        found = []
        for one in self.resources(node, "services"):
            spec = facts.spec(one, what)
            found.append(
                MachineService(
                    facts.talos_identity(one, what), bool(spec.get("running")), bool(spec.get("healthy"))
                )
            )
        if not found:
            raise ProbeError(f"{what}: none at all", "a Talos node always runs some: look at the credential")
        return found

    def extensions(self, node: Machine) -> list[Extension]:
        """Return the system extensions of the node's image; often none.

        Raises:
            ProbeError: no answer, or another shape.
        """
        what = f"{node.ref}: extensions"
        found = []
        for one in self.resources(node, "extensions"):
            about = facts.spec(one, what).get("metadata")
            if not isinstance(about, dict) or not about.get("name"):
                raise ProbeError(f"{what}: an extension without a name", facts.UPDATE)
            found.append(Extension(str(about["name"]), str(about.get("version", ""))))
        return found

    def nodename(self, node: Machine) -> str:
        """Return the name under which the node registers in Kubernetes, by its own account.

        Raises:
            ProbeError: no answer, or not exactly one name.
        """
        what = f"{node.ref}: nodename"
        found = [str(facts.spec(one, what).get("nodename", "")) for one in self.resources(node, "nodename")]
        if len(found) != 1 or not found[0]:
            raise ProbeError(f"{what}: {len(found)} names, expected one", "has the node joined Kubernetes?")
        return found[0]

    def addresses(self, node: Machine) -> list[str]:
        """Return every address of the node that routing leads to, without those of the pod network.

        Talos' own list (NodeAddress `routed-no-k8s`), without prefix lengths.

        Raises:
            ProbeError: no answer, or none at all.
        """
        what = f"{node.ref}: addresses"
        found = [
            str(address).partition("/")[0]
            for one in self.resources(node, "nodeaddress", ROUTED)
            for address in facts.spec(one, what).get("addresses") or ()
        ]
        if not found:
            raise ProbeError(f"{what}: none is routed", "look at the node's network")
        return sorted(set(found))

    def mounts(self, node: Machine) -> list[Mount]:
        """Return the mount table of the node's first process, in mount order.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.mounts(self.clients.admin.ask(node, "read", "/proc/1/mountinfo"), f"{node.ref}: mounts")

    def machineconfig(self, node: Machine) -> list[Document]:
        """Return the documents of the configuration the node runs.

        Raises:
            ProbeError: no answer, or another shape.
        """
        what = f"{node.ref}: active machine configuration"
        return facts.machineconfig(self._machineconfigs(node)[ACTIVE], what)

    def stored_machineconfig(self, node: Machine) -> list[Document]:
        """Return the documents of the configuration the node will boot with.

        Differs while a change is staged or tried.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.machineconfig(self.stored(node), f"{node.ref}: stored machine configuration")

    def stored(self, node: Machine) -> Document:
        """Return the resource of the configuration the node will boot with.

        After a boot Talos has none of its own for it until the next change: what runs was read from the disk.

        Raises:
            ProbeError: no answer, or another shape.
        """
        known = self._machineconfigs(node)
        return known.get(PERSISTENT, known[ACTIVE])

    def _machineconfigs(self, node: Machine) -> dict[str, Document]:
        """Return the node's machine configurations by id, the active one surely."""
        what = f"{node.ref}: machine configuration"
        known = {facts.talos_identity(one, what): one for one in self.sensitive(node, "machineconfig")}
        if ACTIVE not in known:
            raise ProbeError(f"{node.ref}: no active machine configuration", facts.UPDATE)
        return known

    def etcd_members(self, node: Machine) -> list[EtcdMember]:
        """Return the member list as this node's etcd sees it: it lists dead members too.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.members(self.clients.least.ask(node, "etcd", "members"), f"{node.ref}: etcd members")

    def etcd_status(self, node: Machine) -> EtcdStatus:
        """Return what the node's own etcd member says of itself.

        Raises:
            ProbeError: no row: talosctl leaves a dead member out and still exits 0.
        """
        what = f"{node.ref}: etcd status"
        rows = facts.statuses(self.clients.least.ask(node, "etcd", "status"), what, node.name)
        if len(rows) != 1:
            raise ProbeError(f"{what}: {len(rows)} rows, expected its own", "is its etcd running?")
        return rows[0]

    def etcd_alarms(self, node: Machine) -> list[str]:
        """Return the raised etcd alarms, as this node sees them.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return facts.alarms(self.clients.least.ask(node, "etcd", "alarm", "list"), f"{node.ref}: etcd alarms")

    def encryption_providers(self, node: Machine) -> tuple[str, ...]:
        """Return how a control plane is configured to encrypt Secrets; the provider that writes comes first.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return configuration.encryption_providers(self.machineconfig(node))

    @contextmanager
    def snapshot(self) -> Iterator[Path]:
        """Yield a raw snapshot of etcd in a private folder, by the first control plane that gives one.

        It is deleted on exit.

        Raises:
            ProbeError: none of them does; the last one's reason.
        """
        with tempfile.TemporaryDirectory(prefix="assay-snapshot-") as folder:
            path = Path(folder) / "etcd.db"
            problem = ProbeError("no control plane to ask for a snapshot", "check [talos] in the profile")
            for node in self.controlplanes:
                try:
                    self.clients.admin.within(SNAPSHOT_TIMEOUT_S).ask(node, "etcd", "snapshot", str(path))
                except ProbeError as why:
                    problem = why
                else:
                    break
            if not path.is_file() or path.stat().st_size == 0:
                raise problem
            path.chmod(0o600)
            yield path

    def kubelet(self, node: Machine) -> Mapping[str, Any]:
        """Return the specification the node's kubelet runs with (KubeletSpec).

        Args, config, extraMounts, image.

        Raises:
            ProbeError: no answer, or not exactly one.
        """
        what = f"{node.ref}: kubelet"
        found = self.sensitive(node, "kubeletspec")
        if len(found) != 1:
            raise ProbeError(f"{what}: {len(found)} specifications, expected one", facts.UPDATE)
        return facts.spec(found[0], what)

    def pod_roles(self, node: Machine) -> frozenset[str]:
        """Return the Talos roles that pods may ask for by the node's configuration, switched on or not.

        Raises:
            ProbeError: no answer, or another shape.
        """
        return configuration.pod_roles(self.machineconfig(node))

    def listeners(self, node: Machine) -> list[Listener]:
        """Return every listening TCP socket of the node's host network.

        Never none, as the Talos API itself listens.

        Raises:
            ProbeError: no answer, none, or another shape.
        """
        what = f"{node.ref}: sockets"
        found = facts.listeners(
            self.clients.least.ask(node, "netstat", "--listening", "--tcp", "--ipv4", "--ipv6"), what
        )
        if API_PORT not in {one.port for one in found}:
            raise ProbeError(f"{what}: the Talos API is not among them", "the list is not whole")
        return found

    def wanted_version(self, node: Machine) -> str:
        """Return the version that the node must run: the profile's, else that of its installer's image.

        Raises:
            ProbeError: the profile gives none, and the node's configuration has no installer with a tag.
        """
        if not self.pinned and self.clients.configured_admin is None:
            message = "the profile gives no version, and os:admin alone may read which one a node installs"
            raise ProbeError(message, "set version under [talos], for example v1.13.5")
        return self.pinned or configuration.installed_version(
            self.machineconfig(node), f"{node.ref}: installer"
        )

    def without_certificate(self, address: str) -> tls.ClientAuth:
        """Return what the Talos API at `address` says to a client without a certificate.

        Raises:
            ProbeError: no Talos API of this cluster answers there.
        """
        with tempfile.NamedTemporaryFile("wb", suffix=".pem") as ca:
            ca.write(read_authority(self.clients.least.config))
            ca.flush()
            return tls.ask_without_certificate(address, API_PORT, Path(ca.name))
