"""What a running cluster says of itself: servers, nodes, pools, state, deployers. Reads only."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from assay.config.profile import KubeAccess, Profile
from assay.formats.parsing import WRONG
from assay.preflight.admission import administrators, people, unsigned
from assay.preflight.outside import database, public_api, vault_members, vault_stores
from assay.preflight.profile_text import Finding, Findings, note_misses
from assay.probes.kube.client import Kube


Item = Mapping[str, Any]
ENFORCE = "pod-security.kubernetes.io/enforce"
CONTROL = "node-role.kubernetes.io/control-plane"
# Field managers by which tools that apply Git are known.
DEPLOYERS = frozenset(
    {"argocd-controller", "argocd-application-controller", "kustomize-controller", "helm-controller"}
)
BOOTSTRAP = frozenset({"talos"})  # applies what a cluster is born with, not what lies in Git
KNOWN_LABELS = re.compile(
    r"(^|\.)(kubernetes|k8s)\.io/|^(instance\.hetzner\.cloud|csi\.|extensions\.talos\.dev)/"
)
TALOS = re.compile(r"\((v\d+\.\d+\.\d+[^)]*)\)")
MAX_POOLS = 10
ETCD_PORT = 2379


def from_cluster(kubeconfig: Path, found: Findings) -> None:
    """Note what the cluster behind `kubeconfig` says; each question that fails is noted as missed.

    Args:
        kubeconfig: a read-only identity suffices: get and list of nodes, namespaces, endpointslices,
            workloads, claims, roles, bindings, webhook registrations and image policies.
        found: receives the values.
    """
    found.put("kube.kubeconfig", str(kubeconfig), "the command line")
    kube = reader(kubeconfig)
    for what, ask in (
        ("cluster_uid", _identity), ("apiservers", _apiservers), ("nodes", _nodes),
        ("namespaces", _namespaces), ("stateful services", _services), ("deployer", _deployers),
        ("Vault members", vault_members), ("Vault mounts", vault_stores), ("people", people),
        ("administrators", administrators), ("the signature gate", unsigned), ("the database", database),
        ("the public API", public_api),
    ):  # fmt: skip
        note_misses(what, partial(ask, kube, found), found)


def reader(kubeconfig: Path) -> Kube:
    """Return a client of the cluster behind `kubeconfig`."""
    return Kube.from_profile(Profile(kubeconfig, "-", "-", kube=KubeAccess(kubeconfig)))


def from_talosconfig(talosconfig: Path, found: Findings) -> None:
    """Note the endpoints and the name of the context in force of a talosconfig; no key of it is kept."""
    found.put("talos.config", str(talosconfig), "the command line")
    try:
        document = yaml.safe_load(talosconfig.read_text(encoding="utf-8"))
        name = str(document["context"])
        endpoints = [str(one) for one in document["contexts"][name]["endpoints"]]
    except (OSError, yaml.YAMLError, *WRONG) as problem:
        found.missed.append(f"talosconfig: cannot be read ({type(problem).__name__})")
        return
    found.put("talos.endpoints", endpoints, f"context {name}")
    found.put("stack.name", name, "the talosconfig's context")


def _identity(kube: Kube, found: Findings) -> None:
    found.put("stack.cluster_uid", kube.cluster_uid(), "namespace kube-system")


def _apiservers(kube: Kube, found: Findings) -> None:
    slices = kube.objects("EndpointSlice", "default", "discovery.k8s.io/v1",
                          labelSelector="kubernetes.io/service-name=kubernetes")  # fmt: skip
    found.put("kube.apiservers", sorted(_addresses(slices)), "EndpointSlice default/kubernetes")


def _addresses(slices: Iterable[Item]) -> Iterable[str]:
    for one in slices:
        port = next((row["port"] for row in one.get("ports") or () if row.get("port")), 443)
        for endpoint in one.get("endpoints") or ():
            for address in endpoint["addresses"]:
                host = f"[{address}]" if ":" in address else address
                yield f"https://{host}:{port}"


def _nodes(kube: Kube, found: Findings) -> None:
    nodes = kube.objects("Node", version="v1")
    control, workers = dict[str, str](), dict[str, str]()
    for node in nodes:
        named = control if CONTROL in (node["metadata"].get("labels") or {}) else workers
        named[node["metadata"]["name"]] = _internal(node)
    found.put("talos.controlplanes", control, f"{len(control)} Nodes with {CONTROL}")
    found.put("talos.workers", workers, f"{len(workers)} other Nodes", proposed=True)
    members = [f"https://{address}:{ETCD_PORT}" for address in control.values()]
    found.put("etcd.endpoints", members, "the control planes", proposed=True)
    versions = Counter(m[1] for node in nodes if (m := TALOS.search(node["status"]["nodeInfo"]["osImage"])))
    if versions:
        version, count = versions.most_common(1)[0]
        found.put("talos.version", version, f"{count} of {len(nodes)} Nodes")
    _pools([node for node in nodes if node["metadata"]["name"] in workers], found)


def _internal(node: Item) -> str:
    rows = node["status"].get("addresses") or ()
    return next((row["address"] for row in rows if row["type"] == "InternalIP"), "")


def _pools(workers: list[Item], found: Findings) -> None:
    """Note the one label that divides the workers, and the taints that carry a pool's name."""
    values: dict[str, Counter[str]] = defaultdict(Counter)
    for node in workers:
        for key, value in (node["metadata"].get("labels") or {}).items():
            if not KNOWN_LABELS.search(key):
                values[key][value] += 1
    divides = [
        key for key, seen in values.items() if 1 < len(seen) <= MAX_POOLS and seen.total() == len(workers)
    ]
    if len(divides) != 1:
        return
    names = sorted(values[divides[0]])
    found.put("platform.pools.label", divides[0], "the one label that divides the workers")
    found.put("platform.pools.names", names, f"values of {divides[0]}", proposed=True)
    taints = {
        node["metadata"]["labels"][divides[0]]: taint["key"]
        for node in workers
        for taint in node["spec"].get("taints") or ()
        if not KNOWN_LABELS.search(taint["key"]) or "node-role" in taint["key"]
    }
    found.put("platform.pools.taints", taints, "taints of the workers", proposed=True)


def _namespaces(kube: Kube, found: Findings) -> None:
    levels: dict[str, list[str]] = defaultdict(list)
    for one in kube.namespaces():
        levels[one.labels.get(ENFORCE, "none")].append(one.name)
    for key in ("privileged", "baseline"):
        found.put(f"platform.namespaces.{key}", levels[key], f"label {ENFORCE}", proposed=True)


def _services(kube: Kube, found: Findings) -> None:
    """Note one stateful service for each namespace with claims or StatefulSets, etcd first."""
    spaces = {
        item["metadata"]["namespace"]
        for kind, version in (("StatefulSet", "apps/v1"), ("PersistentVolumeClaim", "v1"))
        for item in kube.objects(kind, version=version)
    }
    source = "StatefulSets and claims there"
    rows = [{"name": Finding("etcd", "every cluster has it")}]
    rows += [
        {"name": Finding(space, source), "owns": Finding([f"* {space}/*"], f"namespace {space}")}
        for space in sorted(spaces)
    ]
    found.tables["platform.services"] = rows


def _deployers(kube: Kube, found: Findings) -> None:
    managers = {
        entry.get("manager", "")
        for item in kube.objects("Deployment", version="apps/v1")
        for entry in item["metadata"].get("managedFields") or ()
        if entry.get("operation") == "Apply"
    }
    known = sorted(managers & DEPLOYERS)
    found.put(
        "platform.deployer",
        known or sorted(managers - BOOTSTRAP),
        "managedFields of the Deployments",
        proposed=not known,
    )
