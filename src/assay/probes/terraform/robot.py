"""Firewalls of dedicated servers at Hetzner (Robot), as the Terraform providers that know them write them.

They look at each packet alone, the first rule that fits decides, and what no rule accepts is dropped. So a
rule for answers to outbound connections (`32768-65535`) lets new ones in too, unless it asks for flag `ack`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from assay.formats.parsing import parsing
from assay.formats.resource import Resource, Unresolved, Value
from assay.probes.terraform.hetzner import EVERY_PORT, FirewallRule, port_range, rules


ROWS = {
    "hrobot_firewall": "input_rules",
    "hrobot_firewall_template": "input_rules",
    "hetznerrobot_firewall": "rule",
    "hetzner-robot_firewall": "rule",
}
EVERYBODY = {"ipv4": "0.0.0.0/0", "ipv6": "::/0"}


@parsing("a firewall of the sources or the plan", "run terraform validate")
def all_rules(resources: Iterable[Resource]) -> list[FirewallRule]:
    """Return every rule that lets packets in, of the firewalls of cloud servers and of dedicated ones."""
    every = list(resources)
    return rules(every) + [rule for one in every if one.type in ROWS for rule in _rules_of(one)]


def _rules_of(firewall: Resource) -> Iterator[FirewallRule]:
    yield from _switched_off(firewall)
    for number, row in enumerate(firewall.blocks(ROWS[firewall.type]), 1):
        if isinstance(row, Unresolved):
            yield FirewallRule(firewall.ref, firewall.where, "in", row, row, row, f"rule {number}")
            continue
        if row.get("action") == "discard":
            if _all(row):
                return
            continue
        if not _answers_only(row):
            yield _rule(firewall, row, number)


def _switched_off(firewall: Resource) -> Iterator[FirewallRule]:
    """Yield a rule that lets in what the firewall does not look at."""
    for key, what in (("active", tuple(EVERYBODY.values())), ("filter_ipv6", (EVERYBODY["ipv6"],))):
        value = firewall.attributes.get(key)
        if value is False or isinstance(value, Unresolved):
            sources = what if value is False else value
            yield FirewallRule(
                firewall.ref, firewall.where, "in", "tcp", EVERY_PORT, sources, f"{key} = false"
            )


def _rule(firewall: Resource, row: Mapping[str, Value], number: int) -> FirewallRule:
    port = _first(row, "dst_port", "destination_port", "dest_port")
    protocol = row.get("protocol") or "tcp"
    label = f"rule {number} ({row.get('protocol') or 'any protocol'} {port or 'any port'})"
    return FirewallRule(firewall.ref, firewall.where, "in", protocol, port_range(port), _sources(row), label)


def _sources(row: Mapping[str, Value]) -> tuple[Value, ...] | Unresolved:
    """Return whom a rule lets in; without a source everybody of its version of IP."""
    found = _first(row, "src_ip", "source_ips")
    if isinstance(found, Unresolved):
        return found
    if found in (None, "", []):
        version = row.get("ip_version")
        return (EVERYBODY[version],) if version in EVERYBODY else tuple(EVERYBODY.values())
    return tuple(found) if isinstance(found, list) else (found,)


def _answers_only(row: Mapping[str, Value]) -> bool:
    """Return whether a rule asks for packets of connections that are there already."""
    flags = str(row.get("tcp_flags") or "").lower()
    return "ack" in flags and "syn" not in flags


def _all(row: Mapping[str, Value]) -> bool:
    """Return whether a rule fits every packet of both versions of IP."""
    sources = _sources(row)
    wide = not isinstance(sources, Unresolved) and any(one in EVERYBODY.values() for one in sources)
    ports = port_range(_first(row, "dst_port", "destination_port", "dest_port"))
    return wide and ports == EVERY_PORT and not row.get("protocol") and not row.get("ip_version")


def _first(row: Mapping[str, Value], *keys: str) -> Value:
    return next((row[key] for key in keys if row.get(key) not in (None, "")), None)
