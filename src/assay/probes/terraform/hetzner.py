"""Facts about a platform on Hetzner Cloud, from its Terraform resources.

What its firewalls let in, what its servers are.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from assay.config.platform import covered
from assay.errors import AssumptionError, ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value
from assay.probes.kube.facts import KubeNode


SERVERS = ("hcloud_server", "hrobot_server")
ADMIN_PORTS = (6443, 50000)
EVERY_PORT = range(65536)
CONTROL_PLANE_ROLES = frozenset({"controlplane", "control-plane", "control_plane", "control", "master"})
OTHER_ROLES = frozenset({"worker", "workers", "agent", "agents"})
OTHER_NAME = re.compile(r"(^|[-_])(workers?|agents?)([-_\d]|$)")
CONTROL_PLANE_NAME = re.compile(r"(^|[-_.])(cp|control[-_]?planes?|masters?)([-_.\d]|$)")
WIDEST = {4: 8, 6: 32}
MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class FirewallRule:
    """One firewall rule: `ports` is a range, `sources` the texts as written, `where` its place.

    `label` is its number in the firewall with protocol and port as written.

    An attribute that the files do not decide is `Unresolved`.
    """

    ref: str
    where: str
    direction: Value
    protocol: Value
    ports: range | Unresolved
    sources: tuple[Value, ...] | Unresolved
    label: str = ""

    def inbound(self) -> bool:
        """Return True unless the rule is known to be for outbound traffic."""
        return bool(self.direction != "out")

    def reaches(self, ports: Iterable[int] = ADMIN_PORTS) -> bool:
        """Return True if the rule is, or for all that is known may be.

        About one of these TCP or UDP ports.
        """
        if isinstance(self.protocol, str) and self.protocol.lower() not in ("tcp", "udp"):
            return False
        return isinstance(self.ports, Unresolved) or any(port in self.ports for port in ports)

    def unknown(self) -> Unresolved | None:
        """Return what keeps the rule from being judged, or None."""
        for value in (self.direction, self.protocol, self.ports, *self._sources()):
            if isinstance(value, Unresolved):
                return value
        return None

    def open_to_strangers(self, allowed: Sequence[Network]) -> list[str]:
        """Return the sources outside of `allowed` if the rule is known to be about the admin ports."""
        if not self.inbound() or not self.reaches():
            return []
        if any(isinstance(value, Unresolved) for value in (self.direction, self.protocol, self.ports)):
            return []
        return self.strangers(allowed)

    def undecided(self, allowed: Sequence[Network]) -> bool:
        """Return True if the rule may let strangers in for all that is known, and may not."""
        if not self.inbound() or not self.reaches() or self.open_to_strangers(allowed):
            return False
        unknown_source = any(isinstance(source, Unresolved) for source in self._sources())
        return unknown_source or (self.unknown() is not None and bool(self.strangers(allowed)))

    def _sources(self) -> tuple[Value, ...]:
        return (self.sources,) if isinstance(self.sources, Unresolved) else self.sources

    def strangers(self, allowed: Sequence[Network]) -> list[str]:
        """Return the known sources that are not within `allowed`; `(no source_ips)` where a rule names none.

        Raises:
            ProbeError: a source is neither an address nor a CIDR.
        """
        if isinstance(self.sources, Unresolved):
            return []
        known = [str(source) for source in self.sources if not isinstance(source, Unresolved)]
        return [text for text in known if not within(network(text), allowed)] or (
            [] if self.sources else ["(no source_ips)"]
        )


@dataclass(frozen=True, slots=True)
class Server:
    """One server as declared.

    Whether it is a control plane (None: not decided by the files), and why it cannot be counted.
    """

    ref: str
    address: str
    where: str
    control_plane: bool | None
    user_data: bool
    unknown: Unresolved | None

    @property
    def unclear(self) -> bool:
        """Return True if the files do not decide how many control planes this stands for."""
        return self.control_plane is None or (self.unknown is not None and self.control_plane)


@dataclass(frozen=True, slots=True)
class UnjoinedServer:
    """A server of a state that is not a node: its name, and where the state has it."""

    name: str
    where: str

    @property
    def ref(self) -> str:
        """Return `Server name`."""
        return f"Server {self.name}"

    @property
    def why(self) -> str:
        """Return where it is declared, and that it is not a node."""
        return f"{self.where}: not a node of the cluster, nor one of [platform.nodes] servers"


def network(text: str) -> Network:
    """Return an address or CIDR as a network: host bits dropped, IPv4-mapped IPv6 turned into IPv4.

    Raises:
        ProbeError: it is neither.
    """
    try:
        read = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ProbeError(
            f"{text!r} is neither an address nor a CIDR", "write it as 192.0.2.0/24 or 2001:db8::/64"
        ) from error
    if isinstance(read, ipaddress.IPv6Network) and read.subnet_of(MAPPED):
        mapped = int(read.network_address) & 0xFFFFFFFF
        return ipaddress.IPv4Network((mapped, read.prefixlen - 96))
    return read


def allow_list(texts: Iterable[str]) -> list[Network]:
    """Return the declared networks.

    Raises:
        AssumptionError: none is declared, or one is so wide that being within it means nothing.
    """
    networks = [network(text) for text in texts]
    if not networks:
        raise AssumptionError(
            "the profile declares no allow list",
            "set admin under [allowlist]: CI runners and the NetBird range",
        )
    for one in networks:
        if one.prefixlen < WIDEST[one.version]:
            raise AssumptionError(
                f"the declared allow list holds {one}",
                "an allow list as wide as this allows everyone; narrow it",
            )
    return networks


def within(one: Network, allowed: Sequence[Network]) -> bool:
    """Return True if every address of `one` is in `allowed`, adjacent networks taken together."""
    if isinstance(one, ipaddress.IPv4Network):
        v4 = ipaddress.collapse_addresses([net for net in allowed if isinstance(net, ipaddress.IPv4Network)])
        return any(one.subnet_of(net) for net in v4)
    v6 = ipaddress.collapse_addresses([net for net in allowed if isinstance(net, ipaddress.IPv6Network)])
    return any(one.subnet_of(net) for net in v6)


def port_range(value: Value) -> range | Unresolved:
    """Return the ports a rule's `port` means: `6443`, `6000-7000`, `any`; nothing means all of them.

    Raises:
        ProbeError: it is none of these.
    """
    if isinstance(value, Unresolved):
        return value
    text = "any" if value is None else str(value).strip().lower()
    if text in ("any", ""):
        return EVERY_PORT
    match = re.fullmatch(r"(\d{1,5})(?:\s*-\s*(\d{1,5}))?", text)
    if match is None:
        raise ProbeError(
            f"port {value!r} is neither a port nor a range", "write it as 6443, 6000-7000 or any"
        )
    return range(int(match.group(1)), int(match.group(2) or match.group(1)) + 1)


@parsing("a firewall of the sources or the plan", "run terraform validate")
def rules(resources: Iterable[Resource]) -> list[FirewallRule]:
    """Return every rule of every hcloud_firewall; one `Unresolved` rule stands for rules nobody can count."""
    return [rule for one in resources if one.type == "hcloud_firewall" for rule in _rules_of(one)]


def left_open(
    written: Sequence[FirewallRule],
    planned: Sequence[FirewallRule],
    modules: Sequence[str],
    allowed: Sequence[Network],
) -> list[str]:
    """Return what neither the sources nor the plans decide: rules, and modules nobody looked into.

    Raises:
        AssumptionError: there are plans, and a firewall of the sources is in none of them: they are of
        other sources.
    """
    covered = {rule.ref for rule in planned}
    missing = sorted({rule.ref for rule in written} - covered) if planned else []
    if missing:
        raise AssumptionError(f"{missing[0]} is in no plan", "make the plans from these sources")
    open_rules = [rule for rule in (*written, *planned) if rule.undecided(allowed)]
    undecided = [rule for rule in open_rules if rule in planned or rule.ref not in covered]
    return [f"{rule.ref}: {rule.unknown()}" for rule in undecided] + ([] if planned else list(modules))


def _rules_of(firewall: Resource) -> Iterator[FirewallRule]:
    blocks = firewall.blocks("rule")
    every = [*blocks, firewall.unresolved] if firewall.unresolved else blocks
    for number, block in enumerate(every, 1):
        if isinstance(block, Unresolved):
            yield FirewallRule(firewall.ref, firewall.where, block, block, block, block, f"rule {number}")
        elif block is not None:
            yield _rule(firewall, block, number)


def _rule(firewall: Resource, block: Mapping[str, Value], number: int) -> FirewallRule:
    sources = block.get("source_ips")
    if not isinstance(sources, Unresolved):
        sources = tuple(sources or ())
    return FirewallRule(
        firewall.ref,
        firewall.where,
        block.get("direction"),
        block.get("protocol"),
        port_range(block.get("port")),
        sources,
        f"rule {number} ({block.get('protocol')} {block.get('port') or 'any port'})",
    )


@parsing("a server of the sources or the plan", "run terraform validate")
def servers(resources: Iterable[Resource]) -> list[Server]:
    """Return every server. A server is a control plane if a label says so, or its name does."""
    return [_server(one) for one in resources if one.type in SERVERS]


def miscounted(control_planes: Sequence[Server], wanted: int) -> list[str]:
    """Return `type.name: why` of what makes the number of control planes wrong; nothing where it is right."""
    if len(control_planes) == wanted:
        return []
    return sorted({one.ref for one in control_planes})


@parsing("a server of the state", "pull the state again")
def unjoined(
    resources: Iterable[Resource], nodes: Iterable[KubeNode], apart: Sequence[str]
) -> list[UnjoinedServer]:
    """Return each hcloud_server that is not a node of the cluster, by name or by any of its addresses.

    Args:
        resources: those of a state: what is really there.
        nodes: the nodes of the cluster.
        apart: globs over names of servers that are not meant to be nodes.
    """
    known = {word for node in nodes for word in (node.name, *(at for _, at in node.addresses))}
    found = []
    for one in resources:
        name = str(one.attributes.get("name") or one.name)
        if one.type == "hcloud_server" and not covered(name, tuple(apart)) and not _words(one) & known:
            found.append(UnjoinedServer(name, one.where))
    return found


def _words(server: Resource) -> set[str]:
    """Return the name and the addresses by which a server may be known."""
    keys = ("name", "ipv4_address", "ipv6_address")
    private = [one.get("ip") for one in server.blocks("network") if isinstance(one, Mapping)]
    return {str(word) for word in (*(server.attributes.get(key) for key in keys), *private) if word}


def _server(one: Resource) -> Server:
    user_data = one.attributes.get("user_data") not in (None, "")
    return Server(one.ref, one.address, one.where, _is_control_plane(one), user_data, one.unresolved)


def _is_control_plane(one: Resource) -> bool | None:
    labels = one.attributes.get("labels") or {}
    values = list(labels.values()) if isinstance(labels, Mapping) else [labels]
    name = one.attributes.get("name") or one.attributes.get("server_name")
    roles, said = {str(value).lower() for value in values}, (one.name, _written(name))
    if roles & CONTROL_PLANE_ROLES or any(map(CONTROL_PLANE_NAME.search, said)):
        return True
    if roles & OTHER_ROLES or any(map(OTHER_NAME.search, said)):
        return False
    return None if any(isinstance(value, Unresolved) for value in (*values, name)) else False


def _written(name: Value) -> str:
    """Return a name, and of one that is not known what of it is written out."""
    return (
        re.sub(r"\$\{[^}]*\}", "", str(name)) if not isinstance(name, Unresolved) or '"' in str(name) else ""
    )
