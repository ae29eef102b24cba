"""What the cluster shows to the outside: members of Vault, PostgreSQL, the public API. Reads only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.preflight.checkout import checkout_files
from assay.preflight.profile_text import Findings
from assay.probes.kube.client import Kube
from assay.probes.kube.discovery import served


Item = Mapping[str, Any]
# Vault labels its own pods so; charts name theirs.
VAULT_LABEL, NAME_LABEL = "vault-initialized", "app.kubernetes.io/name"
VAULTS = frozenset({"vault", "openbao"})
IMAGE = re.compile(r"^\W*image: *[\"']?([\w.-]+(?::\d+)?)/", re.MULTILINE)
YAML = (".yaml", ".yml")
VAULT_PORT, POSTGRES, HTTPS = 8200, 5432, 443
SHOWN = frozenset({"NodePort", "LoadBalancer"})
SECRETS, ROUTES = "external-secrets.io", "gateway.networking.k8s.io"
STORES = ("clustersecretstores", "secretstores")
CONTROL = "node-role.kubernetes.io/control-plane"


@dataclass(frozen=True, slots=True)
class Shown:
    """One port of a Service that is reached from outside the cluster.

    Attributes:
        ref: `Service namespace/name`.
        port: inside the cluster.
        address: `host:port` outside.
        pods: those that answer; none where the Service selects none itself.
    """

    ref: str
    port: int
    address: str
    pods: tuple[Item, ...]


def shown_services(kube: Kube) -> list[Shown]:
    """Return every port that a Service shows to the outside, by namespace and name.

    Raises:
        ProbeError: Services, pods or nodes cannot be read.
    """
    pods, hosts = kube.objects("Pod", version="v1"), _hosts(kube)
    found = []
    for item in sorted(kube.objects("Service", version="v1"), key=_place):
        spec, behind = item["spec"], tuple(_selected(item, pods))
        for port in spec.get("ports") or () if spec.get("type") in SHOWN else ():
            if address := _address(item, port, behind, hosts):
                found.append(Shown(f"Service {'/'.join(_place(item))}", int(port["port"]), address, behind))
    return found


def vault_members(kube: Kube, found: Findings) -> None:
    """Note Vault's members and entry: by Services that lead outside, else by the addresses of its pods.

    Raises:
        ProbeError: Services, pods or nodes cannot be read.
    """
    members = [pod for pod in kube.objects("Pod", version="v1") if _is_vault(pod)]
    ours = [one for one in shown_services(kube) if one.pods and all(_is_vault(pod) for pod in one.pods)]
    single = [f"https://{one.address}" for one in ours if len(one.pods) == 1]
    if len(single) == len(members):
        found.put("vault.addresses", single, "Services that lead to one member each")
    inside = [
        f"https://{pod['status']['podIP']}:{VAULT_PORT}" for pod in members if pod["status"].get("podIP")
    ]
    found.put("vault.addresses", inside, "addresses of Vault's pods", proposed=True)
    for one in ours:
        if len(one.pods) > 1:
            found.put("vault.entry", f"https://{one.address}", one.ref)


def vault_stores(kube: Kube, found: Findings) -> None:
    """Note the mounts of Vault that External Secrets reads from and logs in at, where all stores agree.

    Raises:
        ProbeError: the stores cannot be listed.
    """
    known = served(kube.wire, SECRETS)
    stores = [item for name in STORES if name in known for item in kube.wire.items(known[name])]
    vaults = [one for item in stores if (one := (item["spec"].get("provider") or {}).get("vault"))]
    logins = [one.get("auth", {}).get("kubernetes", {}).get("mountPath", "") for one in vaults]
    for key, values in (
        ("vault.mount", {one.get("path", "") for one in vaults}),
        ("platform.vault.auth_mount", set(logins) - {""}),
    ):
        if len(values) == 1:
            found.put(key, values.pop(), "the SecretStores of External Secrets")


def database(kube: Kube, found: Findings) -> None:
    """Propose where PostgreSQL is reached past the product: the one Service that no pooler answers.

    Raises:
        ProbeError: Services, pods or nodes cannot be read.
    """
    ports = [one for one in shown_services(kube) if one.port == POSTGRES]
    direct = [one for one in ports if all(_owner(pod) != "ReplicaSet" for pod in one.pods)]
    if len(direct) == 1:
        host, _, port = direct[0].address.rpartition(":")
        found.put("sql.host", host, direct[0].ref, proposed=True)
        found.put("sql.port", port, direct[0].ref, proposed=True)


def public_api(kube: Kube, found: Findings) -> None:
    """Propose the address of the public API: the one host of Ingresses and routes, else the one HTTPS port.

    Raises:
        ProbeError: Ingresses, routes, Services, pods or nodes cannot be read.
    """
    hosts = sorted(set(_route_hosts(kube)))
    if len(hosts) == 1:
        found.put("api.url", f"https://{hosts[0]}", "the one host of Ingresses and HTTPRoutes", proposed=True)
    web = [one for one in shown_services(kube) if one.port == HTTPS]
    if not hosts and len(web) == 1:
        found.put("api.url", f"https://{web[0].address}", web[0].ref, proposed=True)


def registries(kube: Kube, found: Findings) -> None:
    """Propose the registries of images in the checkout's manifests and in pods of the platform's namespaces.

    Raises:
        ProbeError: the pods cannot be read.
    """
    running = {
        str(container["image"]).partition("/")[0]
        for pod in kube.objects("Pod", version="v1")
        if not pod["metadata"]["namespace"].startswith("kube-")
        for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ()))
    }
    root = found.keys.get("paths.repositories")
    files = checkout_files(Path(str(root.value))) if root else ()
    pages = (one.read_text(encoding="utf-8", errors="replace") for one in files if one.suffix in YAML)
    written = {host for page in pages for host in IMAGE.findall(page)}
    hosts = {host for host in running | written if "." in host or ":" in host}
    source = "images of the manifests and of the running pods"
    found.put("allowlist.registries", sorted(hosts), source, proposed=True)
    if len(running) == 1:
        found.put("registry.address", running.pop(), "images of the running pods", proposed=True)


def _route_hosts(kube: Kube) -> Iterator[str]:
    for item in kube.objects("Ingress", version="networking.k8s.io/v1"):
        yield from (rule["host"] for rule in item["spec"].get("rules") or () if rule.get("host"))
    if path := served(kube.wire, ROUTES).get("httproutes"):
        for item in kube.wire.items(path):
            yield from item["spec"].get("hostnames") or ()


def _is_vault(pod: Item) -> bool:
    labels = pod["metadata"].get("labels") or {}
    return VAULT_LABEL in labels or labels.get(NAME_LABEL) in VAULTS


def _owner(pod: Item) -> str:
    return next((str(one["kind"]) for one in pod["metadata"].get("ownerReferences") or ()), "")


def _place(item: Item) -> tuple[str, str]:
    return str(item["metadata"]["namespace"]), str(item["metadata"]["name"])


def _selected(service: Item, pods: list[Item]) -> Iterator[Item]:
    selector = (service["spec"].get("selector") or {}).items()
    for pod in pods if selector else ():
        labels = (pod["metadata"].get("labels") or {}).items()
        if pod["metadata"]["namespace"] == service["metadata"]["namespace"] and selector <= labels:
            yield pod


def _hosts(kube: Kube) -> dict[str, str]:
    """Return name -> address of every worker, by name."""
    found = {}
    for node in sorted(kube.objects("Node", version="v1"), key=lambda one: str(one["metadata"]["name"])):
        if CONTROL not in (node["metadata"].get("labels") or {}):
            rows = node["status"].get("addresses") or ()
            found[node["metadata"]["name"]] = next(
                (r["address"] for r in rows if r["type"] == "InternalIP"), ""
            )
    return found


def _address(service: Item, port: Item, pods: tuple[Item, ...], hosts: Mapping[str, str]) -> str:
    """Return where a port is reached: the load balancer, else a node that runs one of the pods, or any."""
    for one in (service.get("status", {}).get("loadBalancer") or {}).get("ingress") or ():
        return f"{one.get('hostname') or one['ip']}:{port['port']}"
    running = [hosts[node] for pod in pods if (node := pod["spec"].get("nodeName")) in hosts]
    host = next(iter((*running, *hosts.values())), "")
    return f"{host}:{port['nodePort']}" if host and port.get("nodePort") else ""
