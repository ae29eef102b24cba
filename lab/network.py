"""Bridge, network namespaces, routes and pod network of the lab."""

from __future__ import annotations

import json
import subprocess

from lab.layout import BEHIND_CONTROL_PLANES, BRIDGE, HOST, NAME, NODES, Node, controls


# On a worker: Talos' API answers to control planes only, so everybody else goes through them.
FIREWALL = """table inet lab {{
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "eth0" ip saddr != {{ {controls} }} tcp dport 50000 drop
  }}
}}
"""


def _ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def _links() -> set[str]:
    return {link["ifname"] for link in json.loads(_ip("-j", "link"))}


def namespaces() -> set[str]:
    """Return the names of the lab's existing network namespaces."""
    listed = json.loads(_ip("-j", "netns", "list") or "[]")
    return {ns["name"] for ns in listed if ns["name"].startswith(f"{NAME}-")}


def create() -> None:
    """Create the bridge, one network namespace per node, and the routes between the pod subnets.

    Whatever exists is kept.
    """
    if BRIDGE not in _links():
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{HOST}/24", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    existing = namespaces()
    for node in NODES:
        if node.netns not in existing:
            _attach(node)
    for node in NODES:
        _ip("route", "replace", node.pods, "via", node.address)


def _attach(node: Node) -> None:
    ns = node.netns
    _ip("netns", "add", ns)
    if node.link in _links():
        _ip("link", "del", node.link)
    _ip("link", "add", node.link, "type", "veth", "peer", "name", "eth0", "netns", ns)
    _ip("link", "set", node.link, "master", BRIDGE, "up")
    _ip("-n", ns, "link", "set", "lo", "up")
    _ip("-n", ns, "addr", "add", f"{node.address}/24", "dev", "eth0")
    _ip("-n", ns, "link", "set", "eth0", "up")
    _ip("-n", ns, "route", "add", "default", "via", HOST)
    for other in NODES:
        if other != node:
            _ip("-n", ns, "route", "replace", other.pods, "via", other.address)

    if BEHIND_CONTROL_PLANES and not node.control:
        _close_talos(ns)


def _close_talos(ns: str) -> None:
    rules = FIREWALL.format(controls=", ".join(node.address for node in controls()))
    argv = ["nsenter", f"--net=/run/netns/{ns}", "nft", "-f", "-"]
    subprocess.run(argv, input=rules, check=True, capture_output=True, text=True)


def remove() -> None:
    """Remove the namespaces, with their veth pairs, routes and rules, and the bridge."""
    for ns in namespaces():
        _ip("netns", "del", ns)
    for link in _links() & {BRIDGE, *(node.link for node in NODES)}:
        # A veth pair disappears shortly after its namespace: only what is left afterwards is an error.
        subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    if left := _links() & {BRIDGE, *(node.link for node in NODES)}:
        raise RuntimeError(f"links could not be removed: {', '.join(sorted(left))}")


def pod_network(node: Node) -> None:
    """Write the node's CNI configuration (bridge, host-local addresses, port mapping) into its volume."""
    folder = node.folder / "vol" / "etc-cni" / "net.d"
    folder.mkdir(parents=True, exist_ok=True)
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": node.pods}]],
            "routes": [{"dst": "0.0.0.0/0"}],
            "dataDir": "/var/lib/cni/networks",
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True}
    conflist = {"cniVersion": "1.0.0", "name": "lab", "plugins": [bridge, portmap]}
    (folder / "10-lab.conflist").write_text(json.dumps(conflist, indent=1))
