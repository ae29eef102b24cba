"""The firewall of a node itself: Talos' NetworkDefaultActionConfig and NetworkRuleConfig.

Talos lets packets in unless the default action is `block`; then each rule document adds what may come in. Of
a node's own cluster (pods, services, the nodes' subnets) nobody is a stranger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from assay.errors import ProbeError
from assay.formats.parsing import parsing
from assay.formats.resource import Resource
from assay.formats.yaml_text import documents, text_of
from assay.probes.talos.facts import Document
from assay.probes.talos.rendered import Rendered
from assay.probes.terraform.hetzner import WIDEST, Network, network, port_range, within


DEFAULT, RULE = "NetworkDefaultActionConfig", "NetworkRuleConfig"
PORTS = {"controlplane": (6443, 50000), "worker": (50000,)}


@parsing("a node's own firewall", "check the NetworkRuleConfig documents with talosctl validate")
def openings(one: Rendered, allowed: Sequence[Network]) -> list[str]:
    """Return how strangers get past a node's own firewall to its admin ports; nothing where they do not."""
    if not any(doc.get("kind") == DEFAULT and doc.get("ingress") == "block" for doc in one.documents):
        return [f"its own firewall blocks nothing: no {DEFAULT} with ingress: block"]
    known = [*allowed, *_own(one.documents)]
    rules = [doc for doc in one.documents if doc.get("kind") == RULE]
    return [why for rule in rules for why in _of_rule(rule, PORTS[one.role], known)]


def unreached(nodes: Sequence[Rendered], servers: Sequence[Resource]) -> list[Rendered]:
    """Return the nodes that no declared server stands for, by name or by number: they guard themselves.

    Args:
        nodes: the rendered configurations.
        servers: the servers that are judged by their firewalls.
    """
    if any(one.unresolved for one in servers):
        return []
    names = [str(one.attributes.get("name") or one.attributes.get("server_name")) for one in servers]
    rest = [node for node in nodes if not any(_is_called(name, node) for name in names)]
    others = len(servers) - (len(nodes) - len(rest))
    return rest if len(rest) > others else []


def _is_called(server: str, node: Rendered) -> bool:
    """Return whether a server's name is the node's, or `cluster-node`."""
    return any(server == name or server.endswith(f"-{name}") for name in node.names)


def blocks_somewhere(folder: Path | None) -> bool:
    """Return whether a file below the folder of patches makes some node's own firewall block by default."""
    files: Iterable[Path] = sorted(folder.rglob("*.y*ml")) if folder and folder.is_dir() else ()
    for file in files:
        try:
            found = documents(text_of(file, file.name), file.name)
        except ProbeError:
            continue  # a template, not YAML yet
        if any(doc.get("kind") == DEFAULT and doc.get("ingress") == "block" for doc in found):
            return True
    return False


def _of_rule(rule: Document, ports: Sequence[int], known: Sequence[Network]) -> Iterator[str]:
    selector = rule.get("portSelector") or {}
    if selector.get("protocol") not in ("tcp", "udp", None):
        return
    opened = [one for one in ports if any(one in _range(part) for part in selector.get("ports") or ())]
    for source in rule.get("ingress") or () if opened else ():
        if not within(network(str(source["subnet"])), known):
            shown = ", ".join(map(str, opened))
            yield f"{RULE} {rule.get('name')} lets {source['subnet']} in to {shown}"


def _range(part: object) -> range:
    found = port_range(part)
    return found if isinstance(found, range) else range(0)


def _own(docs: Iterable[Document]) -> Iterator[Network]:
    """Yield the networks of the cluster itself, as the configuration names them."""
    for doc in docs:
        inner = (doc.get("cluster") or {}).get("network") or {}
        kubelet = (doc.get("machine") or {}).get("kubelet") or {}
        texts = [*(inner.get("podSubnets") or ()), *(inner.get("serviceSubnets") or ())]
        texts += (kubelet.get("nodeIP") or {}).get("validSubnets") or ()
        for text in texts:
            found = network(str(text)) if not str(text).startswith("!") else None
            if found is not None and found.prefixlen >= WIDEST[found.version]:
                yield found
