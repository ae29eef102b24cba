"""The nodes' own ports, as seen from here: who answers the Talos API, and what else does."""

from __future__ import annotations

from assay.probes.net import tls
from assay.probes.talos.facts import Machine
from assay.probes.talos.read import API_PORT, Talos


def guard(talos: Talos, node: Machine, address: str = "") -> tls.ClientAuth | None:
    """Return what the Talos API says to a client without a certificate, at the node's or another address.

    None: it cannot be reached from here, and the node is asked through others, or at another address.

    Raises:
        ProbeError: the address through which the node is asked does not answer, or answers as another.
    """
    place = address or node.address
    direct = place in talos.clients.least.via(node)
    if not direct and not tls.is_open(place, API_PORT):
        return None
    return talos.without_certificate(place)


def probed(talos: Talos, node: Machine, port: int) -> list[tls.ProbedAddress]:
    """Return, for each address that routing leads to, whether a port of it can be connected to from here.

    Raises:
        ProbeError: no answer about the addresses, or something else than this Talos API at one of them.
    """
    found = []
    for address in talos.addresses(node):
        answer = guard(talos, node, address)
        state = "open" if tls.is_open(address, port) else "closed"
        found.append(tls.ProbedAddress(address, answer is not None and answer.demands, state))
    return found
