"""What of a platform on Hetzner Cloud is reached without passing a firewall: servers, and load balancers.

A server without a firewall answers on every port; a firewall cannot be attached to a load balancer at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assay.config.platform import covered
from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value
from assay.probes.terraform.hetzner import ADMIN_PORTS, SERVERS
from assay.probes.terraform.plan import AFTER_APPLY, COMPUTED


BALANCER = re.compile(r"\bhcloud_load_balancer\.([\w-]+)")
SERVER = re.compile(r"\bh(cloud|robot)_server\.")
# One requirement of a label selector: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b, c)`, `a`, `!a`.
REQUIREMENT = re.compile(
    r"\s*(?:(?P<absent>!\s*[^\s,=!()]+)|(?P<key>[^\s,=!()]+)\s*"
    r"(?:(?P<is>==?|!=)\s*(?P<value>[^\s,()]*)|(?P<set>in|notin)\s*\((?P<values>[^)]*)\))?)\s*(?:,|$)"
)
FIREWALL_ID = re.compile(r"hcloud_firewall\.[\w-]+(\[[^\]]*\])?\.id")
PORT_OF = {"http": 80, "https": 443}
Maybe = bool | None


@dataclass(frozen=True, slots=True)
class PortExposure:
    """A server or a load balancer's service that may be reached by everybody: `type.name`, and how.

    `decided` is False where neither the files nor the plan say whether it is.
    """

    ref: str
    why: str
    decided: bool


@parsing("a server of the sources or the plan", "run terraform validate")
def unguarded_servers(resources: Iterable[Resource], apart: Sequence[str]) -> list[PortExposure]:
    """Return each server with a public address and no firewall, by whatever way one is attached.

    Args:
        resources: those of one root module.
        apart: globs over names of servers that are not meant to be nodes.
    """
    every = list(resources)
    found = []
    for one in every:
        name = one.attributes.get("name") or one.attributes.get("server_name")
        if one.type not in SERVERS or covered(str(name or one.name), tuple(apart)):
            continue
        public, guarded = _public(one), _guarded(one, every)
        if public is False or guarded:
            continue
        why = f"{one.where}: {one.address} has a public address and no firewall: every port of it is open"
        found.append(PortExposure(one.ref, why, public is True and guarded is False))
    return found


@parsing("a load balancer of the sources or the plan", "run terraform validate")
def open_balancers(resources: Iterable[Resource], ports: Sequence[int] = ADMIN_PORTS) -> list[PortExposure]:
    """Return each service of a public load balancer that listens on, or leads to, one of `ports`."""
    every = list(resources)
    inner = [one for one in every if one.type == "hcloud_load_balancer_network"]
    found = []
    for one in (one for one in every if one.type == "hcloud_load_balancer_service"):
        listens, leads = _ports(one)
        opens = _either([_is_one_of(listens, ports), _is_one_of(leads, ports)])
        public = _public_balancer(one, inner)
        if opens is False or public is False:
            continue
        why = (
            f"{one.where}: port {listens} of a public load balancer leads to port {leads} past all firewalls"
        )
        found.append(PortExposure(one.ref, why, bool(opens and public)))
    return found


def _either(answers: Iterable[Maybe]) -> Maybe:
    """Return True if one is True, None if none is and one is not known, else False."""
    known = list(answers)
    return True if True in known else None if None in known else False


def _public(server: Resource) -> Maybe:
    """Return whether a server has a public address; without `public_net` it has two."""
    blocks = server.blocks("public_net")
    if not blocks or blocks == [None]:
        return True
    if isinstance(blocks[0], Unresolved):
        return True if blocks[0].why == COMPUTED else None
    net = blocks[0]
    sides = [net.get(key) if net.get(key) is not None else True for key in ("ipv4_enabled", "ipv6_enabled")]
    return _either(None if isinstance(side, Unresolved) else bool(side) for side in sides)


def _guarded(server: Resource, every: Sequence[Resource]) -> Maybe:
    answers: list[Maybe] = [_has_some(server.attributes.get("firewall_ids"))]
    for one in every:
        if one.type == "hcloud_firewall_attachment":
            answers.append(_names(one.attributes.get("server_ids"), server))
            answers.append(_selects(one.attributes.get("label_selectors"), server))
        elif one.type == "hrobot_firewall":
            answers.append(_names(one.attributes.get("server_id"), server))
        elif one.type == "hcloud_firewall":
            for block in one.blocks("apply_to"):
                if isinstance(block, Unresolved):
                    answers.append(False if block.why == COMPUTED else None)
                elif block is not None:
                    answers.append(_names(block.get("server"), server))
                    answers.append(_selects(block.get("label_selector"), server))
    return _either(answers)


def _has_some(firewalls: Value) -> Maybe:
    """Return whether a list of firewalls holds one; of a plan it is known by what it refers to."""
    if isinstance(firewalls, list):
        return _either(_has_some(one) for one in firewalls)
    if not isinstance(firewalls, Unresolved):
        return bool(firewalls)
    if firewalls.why == COMPUTED:
        return False
    if firewalls.why == AFTER_APPLY:
        refers = firewalls.expression.split(", ")
        return True if all(one.startswith("hcloud_firewall.") for one in refers) else None
    return True if FIREWALL_ID.fullmatch(firewalls.expression) else None


def _names(value: Value, server: Resource) -> Maybe:
    """Return whether a value is, or holds, the id of a server."""
    if isinstance(value, list):
        return _either(_names(one, server) for one in value)
    if isinstance(value, Unresolved):
        return _mentions(value, server)
    if value in (None, "", 0):
        return False
    own = server.attributes.get("server_id") or server.attributes.get("id")
    return None if own is None or isinstance(own, Unresolved) else str(own) == str(value)


def _mentions(value: Unresolved, server: Resource) -> Maybe:
    """Return whether an expression names the server: all of its resource, or this one by index or key."""
    if value.why == COMPUTED:
        return False
    for found in re.finditer(rf"\b{re.escape(server.ref)}\b(?:\[([^\]]*)\])?", value.expression):
        index = (found.group(1) or "").strip().strip('"')
        if not re.fullmatch(r"\d+", index) or str(server.key) == index:
            return True
    return False if SERVER.search(value.expression) else None


def _selects(value: Value, server: Resource) -> Maybe:
    """Return whether a label selector, or one of several, selects the server."""
    if isinstance(value, list):
        return _either(_selects(one, server) for one in value)
    if isinstance(value, Unresolved):
        return False if value.why == COMPUTED else None
    return selects(str(value), server.attributes.get("labels") or {}) if value else False


def selects(selector: str, labels: Value) -> Maybe:
    """Return whether a label selector holds for labels; None where one of the two is not known."""
    if isinstance(labels, Unresolved):
        return None
    position, holds = 0, list[Maybe]()
    while position < len(selector):
        found = REQUIREMENT.match(selector, position)
        if found is None or found.end() == position:
            return None
        holds.append(_holds(found, labels))
        position = found.end()
    return False if False in holds else None if None in holds or not holds else True


def _holds(found: re.Match[str], labels: Mapping[str, Value]) -> Maybe:
    if found["absent"]:
        return found["absent"].lstrip("! ") not in labels
    key = found["key"]
    value = labels.get(key)
    if isinstance(value, Unresolved):
        return None
    if found["is"]:
        return (value is not None and str(value) == found["value"]) != (found["is"] == "!=")
    if found["set"]:
        wanted = {one.strip() for one in found["values"].split(",")}
        return (value is not None and str(value) in wanted) != (found["set"] == "notin")
    return key in labels


def _ports(service: Resource) -> tuple[Value, Value]:
    """Return the port that a service listens on and the one that it leads to; HTTP has its own defaults."""
    protocol = service.attributes.get("protocol")
    usual = PORT_OF.get(str(protocol))
    listens = service.attributes.get("listen_port")
    leads = service.attributes.get("destination_port")
    listens = usual if listens is None else listens
    return listens, (80 if usual else listens) if leads is None else leads


def _is_one_of(port: Value, ports: Sequence[int]) -> Maybe:
    if isinstance(port, Unresolved):
        return None
    return str(port) in {str(one) for one in ports}


def _public_balancer(service: Resource, inner: Sequence[Resource]) -> Maybe:
    """Return whether the balancer of a service has a public interface: unless its network switches it off."""
    answers = []
    for one in inner:
        same = _same(service.attributes.get("load_balancer_id"), one.attributes.get("load_balancer_id"))
        switch = one.attributes.get("enable_public_interface")
        off = None if isinstance(switch, Unresolved) and switch.why != COMPUTED else switch is False
        answers.append(
            False if same is False or off is False else None if same is None or off is None else True
        )
    hidden = _either(answers)
    return None if hidden is None else not hidden


def _same(one: Value, other: Value) -> Maybe:
    """Return whether two ids are of the same load balancer."""
    if not isinstance(one, Unresolved) and not isinstance(other, Unresolved):
        return str(one) == str(other)
    named = [
        BALANCER.search(value.expression) if isinstance(value, Unresolved) else None for value in (one, other)
    ]
    if named[0] is None or named[1] is None:
        return None
    return named[0].group(1) == named[1].group(1)
