"""Where the platform's logs of requests can be read on this machine: written to STATE/logs.json.

They show from the platform's side what a judge asked of it: one entry per request, with method and sender.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab import process
from lab.layout import NODES, STATE, Node, controls, name_of, workers
from lab.parts.objectstore.server import GATEWAY
from lab.parts.vault import MEMBER_NAMES, NAMESPACE


PATH = STATE / "logs.json"
FORMATS = {
    "apiserver_audit": "JSON lines, audit.k8s.io/v1 Event; stage ResponseComplete has the response code",
    "vault_audit": "CRI log lines (time, stream, F, text); stdout has audit entries, JSON; may be .gz",
    "object_store_access": 'lines with ` beast: `: client - user [time] "METHOD /bucket/key HTTP/1.1" status',
    "talos_api": "lines with `[/package.Service/Method]`, the outcome and the caller's talos-role=; apid.log "
    "has calls as received and forwarded, machined.log as carried out",
}


def _on(node: Node, pattern: str) -> str:
    """Return the glob on this machine for `pattern` below /var/log of a node."""
    return str(node.folder / "vol" / "var" / "log" / pattern)


def known() -> Mapping[str, Mapping[str, Any]]:
    """Return for each kind of log its format and, per source, globs that match rotated files as well."""
    pod = f"pods/{NAMESPACE}_{{}}_*/{name_of('Container', 'vault')}/*.log*"
    files = {
        "apiserver_audit": {n.name: [_on(n, "audit/kube/kube-apiserver*.log")] for n in controls()},
        "vault_audit": {member: [_on(n, pod.format(member)) for n in workers()] for member in MEMBER_NAMES},
        "object_store_access": {GATEWAY: [str(process.LOGS / f"{GATEWAY}.log")]},
        "talos_api": {n.name: [_on(n, "machined.log*"), _on(n, "apid.log*")] for n in NODES},
    }
    return {kind: {"format": FORMATS[kind], "files": found} for kind, found in files.items()}


def write() -> None:
    """Write STATE/logs.json."""
    PATH.write_text(json.dumps(known(), indent=1))
