"""Turn booted Talos nodes into a cluster and wait for it.

Bootstrap, credentials, nodes Ready, three etcd voters, Talos' own health check.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from lab import credential, machineconfig
from lab.layout import NAME, NAMES, NODES, PROJECT, STATE, Node, controls, name_of, workers
from lab.names import DEFAULT


KUBECONFIG = machineconfig.CONFIG / "kubeconfig"
TALOSCONFIG = machineconfig.CONFIG / "talosconfig"


P = ParamSpec("P")
R = TypeVar("R")


class NotYetError(Exception):
    """The cluster is not in the desired state yet; try again."""


def _waiting(seconds: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    return retry(
        retry=retry_if_exception_type(NotYetError),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(1),
        reraise=True,
    )


def run(argv: list[str], timeout: int = 30, text: str = "") -> str:
    """Return what a command prints with `text` on its standard input.

    Raises:
        NotYetError: it failed or took longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired as late:
        raise NotYetError(f"{argv[0]}: no answer in {timeout} s") from late
    if done.returncode:
        raise NotYetError(f"{Path(argv[0]).name} {' '.join(argv[1:6])}: {done.stderr.strip()[-300:]}")
    return done.stdout


def talosctl(binaries: Path, *words: str, timeout: int = 30) -> str:
    """Return what talosctl prints, run with the admin credential."""
    return run([str(binaries / "talosctl"), "--talosconfig", str(TALOSCONFIG), *words], timeout)


def kubectl(binaries: Path, *words: str, timeout: int = 30) -> str:
    """Return what kubectl prints, run with the admin credential."""
    return run([str(binaries / "kubectl"), "--kubeconfig", str(KUBECONFIG), *words], timeout)


@_waiting(180)
def bootstrap(binaries: Path) -> None:
    """Bootstrap etcd on the first control plane; retried until Talos accepts it."""
    first = controls()[0].address
    try:
        talosctl(binaries, "-n", first, "-e", first, "bootstrap")
    except NotYetError as answer:
        if "AlreadyExists" not in str(answer):
            raise


@_waiting(120)
def credentials(binaries: Path) -> None:
    """Fetch the admin kubeconfig and create 24-hour credentials for the Talos API, for admin and reader.

    The one-year credential that came with the configuration is deleted.
    """
    first = controls()[0].address
    for role in ("admin", "reader"):
        made = machineconfig.CONFIG / f"talosconfig-{role}"
        new = ("config", "new", "--roles", f"os:{role}", "--crt-ttl", "24h", str(made))
        made.unlink(missing_ok=True)
        talosctl(binaries, "-n", first, "-e", first, *new)
        machineconfig.endpoints(made)
    (machineconfig.CONFIG / "talosconfig-admin").replace(TALOSCONFIG)
    talosctl(binaries, "-n", first, "-e", first, "kubeconfig", "--force", "--merge=false", str(KUBECONFIG))
    KUBECONFIG.chmod(0o600)


@_waiting(240)
def api(binaries: Path) -> None:
    """Wait until the API answers through the load balancer."""
    kubectl(binaries, "get", "--raw", "/readyz", timeout=5)


@_waiting(300)
def nodes_ready(binaries: Path) -> None:
    """Wait until every node of the layout is registered and Ready."""
    items = json.loads(kubectl(binaries, "get", "nodes", "-o", "json", timeout=10))["items"]
    ready = {
        i["metadata"]["name"]
        for i in items
        for c in i["status"].get("conditions", [])
        if c["type"] == "Ready" and c["status"] == "True"
    }
    if late := {n.name for n in NODES} - ready:
        raise NotYetError(f"not Ready: {', '.join(sorted(late))}")


@_waiting(420)
def voters(binaries: Path) -> None:
    """Wait until etcd has three voters that agree: a row from each, no learner, no error."""
    for node in controls():
        text = talosctl(binaries, "-n", node.address, "-e", node.address, "etcd", "members", timeout=10)
        rows = [line.split() for line in text.splitlines()[1:] if line.strip()]
        if len(rows) != len(controls()) or any(row[-1] != "false" for row in rows):
            raise NotYetError(
                f"{node.name} sees {len(rows)} members, learners: {sum(r[-1] != 'false' for r in rows)}"
            )


@_waiting(240)
def healthy(binaries: Path) -> None:
    """Wait until `talosctl health` is green."""
    first = controls()[0].address
    talosctl(
        binaries,
        "-n",
        first,
        "-e",
        first,
        "health",
        "--wait-timeout",
        "60s",
        "--control-plane-nodes",
        ",".join(n.address for n in controls()),
        "--worker-nodes",
        ",".join(n.address for n in workers()),
        timeout=75,
    )


def services(binaries: Path) -> None:
    """Wait until every node reaches two services: the API and the admission webhook.

    Raises:
        NotYetError: a node does not reach one.
    """
    listed = json.loads(kubectl(binaries, "get", "services", "-A", "-o", "json"))["items"]
    of = {(one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]["clusterIP"] for one in listed}
    webhook = name_of("Namespace", "cosign-system"), name_of("Service", "webhook")
    ours = [of[place] for place in (("default", "kubernetes"), webhook)]
    for node, address in ((node, address) for node in NODES for address in ours):
        _reached(node, address, 60)


def _reached(node: Node, address: str, seconds: int) -> None:
    ask = ["curl", "-sk", "-o", "/dev/null", "--max-time", "3", f"https://{address}/"]
    try:
        _waiting(seconds)(run)(["nsenter", f"--net=/run/netns/{node.netns}", *ask])
    except NotYetError as refused:
        raise NotYetError(f"{node.name} does not reach the service {address}: {refused}") from refused


def judges_kubeconfig() -> Path:
    """Return the kubeconfig for the suite; with other names it gets its credential from an exec plugin."""
    if NAMES.title == DEFAULT:
        return KUBECONFIG
    folder = machineconfig.CONFIG / "exec-plugin"
    return credential.kubeconfig(KUBECONFIG, machineconfig.ca("k8s"), folder, PROJECT, machineconfig.CLUSTER)


def uid(binaries: Path) -> str:
    """Return the UID of the kube-system namespace: the identity of the cluster."""
    return kubectl(binaries, "get", "namespace", "kube-system", "-o", "jsonpath={.metadata.uid}").strip()


def mark(binaries: Path) -> None:
    """Mark the cluster as a lab: without ConfigMap kube-system/assay-lab the suite plants nothing."""
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "assay-lab", "namespace": "kube-system"},
        "data": {"instance": NAME, "names": NAMES.title, "state": str(STATE)},
    }
    argv = [str(binaries / "kubectl"), "--kubeconfig", str(KUBECONFIG), "apply", "--server-side"]
    run([*argv, "--force-conflicts", "--field-manager=assay-lab", "-f", "-"], text=json.dumps(document))
