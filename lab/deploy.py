"""The cluster as the deployer sees it: kubectl, and waiting until the desired state is observed."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from lab import pki
from lab.layout import API_HOST, HOST, NAMES, here, name_of, workers
from lab.names.check import check


Manifest = dict[str, Any]
ADMISSION = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
WEBHOOKS = {
    "validatingwebhookconfiguration": ("policy.sigstore.dev", "validating.clusterimagepolicy.sigstore.dev"),
    "mutatingwebhookconfiguration": ("policy.sigstore.dev", "defaulting.clusterimagepolicy.sigstore.dev"),
}
WEBHOOK = name_of("Namespace", "cosign-system"), name_of("Deployment", "webhook")
RELEASE_KEY = name_of("ClusterImagePolicy", "release-key")
SHOP, EDGE = name_of("Namespace", "shop"), name_of("Namespace", "edge")
GATE = "admission webhook"
READY_S = 240


class NotReadyError(RuntimeError):
    """Something deployed is not in the desired state yet; the message says what was observed."""


waiting = retry(
    retry=retry_if_exception_type(NotReadyError),
    stop=stop_after_delay(READY_S),
    wait=wait_fixed(0.5),
    reraise=True,
)


class Cluster:
    """kubectl with one kubeconfig."""

    def __init__(self, kubectl: Path, kubeconfig: Path) -> None:
        """Use the cluster of `kubeconfig`."""
        self.argv = [str(kubectl), f"--kubeconfig={kubeconfig}", "--request-timeout=40s"]

    def call(self, *words: str, send: str = "") -> str:
        """Return what kubectl prints.

        Raises:
            NotReadyError: it failed or did not answer within a minute; the message is the end of its output.
        """
        try:
            done = subprocess.run(
                [*self.argv, *words], input=send, capture_output=True, text=True, timeout=60, check=False
            )
        except subprocess.TimeoutExpired as late:
            raise NotReadyError(f"kubectl {words[0]}: no answer in 60 s") from late
        if done.returncode:
            raise NotReadyError(f"kubectl {words[0]}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def get(self, *words: str) -> Manifest:
        """Return one object.

        Raises:
            NotReadyError: it does not exist, or kubectl failed.
        """
        found: Manifest = json.loads(self.call("get", *words, "-o", "json"))
        return found

    @waiting
    def apply(self, documents: Iterable[Manifest]) -> None:
        """Apply documents server-side as the deployer; retried while the API or a webhook is down.

        Raises:
            NotReadyError: the API or a webhook did not answer in four minutes, or refused.
            StrangeNameError: a document holds a name that the platform does not have.
        """
        if not (given := list(documents)):
            return
        check(given, NAMES)
        manager = f"--field-manager={name_of('FieldManager', 'gitops')}"
        self.call(
            "apply", "--server-side", "--force-conflicts", manager, "-f", "-", send=yaml.safe_dump_all(given)
        )

    def rendered(self, folder: Path) -> list[Manifest]:
        """Return the documents that kustomize builds from a folder."""
        return [d for d in yaml.safe_load_all(here(self.call("kustomize", str(folder)))) if d]

    def refusal(self, manifest: Manifest) -> str:
        """Return why the API refuses to create `manifest` in a dry run, empty if it is admitted."""
        try:
            self.call("create", "--dry-run=server", "-f", "-", send=yaml.safe_dump(manifest))
        except NotReadyError as refused:
            return str(refused)
        return ""


def identity(manifest: Manifest) -> tuple[str, str, str, str]:
    """Return what identifies an object: API version, kind, namespace, name."""
    meta = manifest["metadata"]
    return manifest["apiVersion"], manifest["kind"], meta.get("namespace", ""), meta["name"]


def pod(namespace: str, image: str) -> Manifest:
    """Return a pod of one sample image that Pod Security's restricted level admits."""
    secure = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "sample", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{"name": "sample", "image": image, "securityContext": secure}],
        },
    }


@waiting
def established(cluster: Cluster) -> None:
    """Wait until the API serves policy-controller's custom resources."""
    cluster.call("get", "clusterimagepolicies.policy.sigstore.dev,trustroots.policy.sigstore.dev")


@waiting
def rolled_out(cluster: Cluster, namespace: str, name: str, kind: str = "Deployment") -> None:
    """Wait until all replicas of a Deployment or StatefulSet are updated and ready."""
    found = cluster.get(kind, name, "-n", namespace)
    status, wanted = found.get("status", {}), found["spec"]["replicas"]
    seen = [status.get(k, 0) for k in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")]
    if status.get("observedGeneration", 0) < found["metadata"]["generation"] or seen != [wanted] * 4:
        raise NotReadyError(
            f"{kind} {namespace}/{name}: {seen} of {wanted} replicas, updated, ready, available"
        )


@waiting
def webhooks_armed(cluster: Cluster) -> None:
    """Wait until policy-controller has set the CA bundle and rules of every webhook."""
    for kind, names in WEBHOOKS.items():
        for name in names:
            for hook in cluster.get(kind, name)["webhooks"]:
                if not hook["clientConfig"].get("caBundle") or not hook.get("rules"):
                    raise NotReadyError(f"{kind} {name}: no CA bundle or no rules yet")


@waiting
def policy_compiled(cluster: Cluster) -> None:
    """Wait until policy-controller has compiled the release key's policy."""
    compiled = cluster.get("configmap", "config-image-policies", "-n", WEBHOOK[0])
    if RELEASE_KEY not in compiled.get("data", {}):
        raise NotReadyError(f"ClusterImagePolicy {RELEASE_KEY} is not compiled yet")


@waiting
def gate_closed(cluster: Cluster, refs: Mapping[str, str]) -> None:
    """Wait until the gate works: signed admitted, unsigned refused, namespaces without the label refused."""
    if refused := cluster.refusal(pod(SHOP, refs["signed"])):
        raise NotReadyError(f"the signed sample is refused: {refused}")
    if GATE not in (answer := cluster.refusal(pod(SHOP, refs["unsigned"]))):
        raise NotReadyError(f"the unsigned sample is not refused by the webhook: {answer or 'admitted'}")
    if not cluster.refusal({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "opted-out"}}):
        raise NotReadyError("a namespace without the opt-in label is admitted")


def certificate(state: Path) -> Manifest:
    """Return the gateway's TLS Secret; the lab's CA issues the certificate once, instead of cert-manager."""
    folder = state / "gateway"
    if not (folder / "tls.crt").exists():
        folder.mkdir(exist_ok=True, mode=0o700)
        authority = pki.Pair((state / "ca.crt").read_bytes(), (state / "ca.key").read_bytes())
        names = (API_HOST, HOST, *(n.address for n in workers()))
        pki.issue(authority, API_HOST, sans=names).write(folder / "tls.crt", folder / "tls.key")
    data = {name: base64.b64encode((folder / name).read_bytes()).decode() for name in ("tls.crt", "tls.key")}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "data": data,
        "metadata": {
            "name": name_of("Secret", "gateway-tls"),
            "namespace": EDGE,
            "labels": {"app.kubernetes.io/part-of": name_of("Part", "edge")},
        },
    }


def stages(
    documents: list[Manifest],
) -> tuple[list[Manifest], list[Manifest], list[Manifest], list[Manifest]]:
    """Return the documents in rollout order: namespaces and CRDs, the gate, its policies, what it guards."""
    first = [d for d in documents if d["kind"] in {"Namespace", "CustomResourceDefinition"}]
    rules = [d for d in documents if d["kind"] in {*ADMISSION, "ClusterImagePolicy"}]
    guarded = [d for d in documents if d["metadata"].get("namespace") in {SHOP, EDGE, "default"}]
    gate = [
        d for d in documents if not any(d is other for group in (first, rules, guarded) for other in group)
    ]
    return first, gate, rules, guarded
