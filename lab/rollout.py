"""Roll gitops/ out to the running cluster: admission first, then Secrets, then the workloads.

Every step waits until the desired state is observed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path

from lab import deploy, machineconfig, overlay, pki, sops
from lab.deploy import Cluster, Manifest
from lab.layout import CACHE, REGISTRY
from lab.oci import Layout, Registry
from lab.parts import Context, Part
from lab.parts.part import FIRST
from lab.signing import Signer, samples


class Rollout:
    """One rollout of a set of parts; call its steps in the order in which they are defined."""

    def __init__(
        self,
        state: Path,
        refs: Mapping[str, str],
        binaries: Path,
        kubeconfig: Path,
        parts: Iterable[Part] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Roll out to the cluster of `kubeconfig`.

        Args:
            state: the lab's state folder, with `ca.crt` and `ca.key`; the overlay is written below it.
            refs: image name -> `host:port/repository@sha256:<hex>`, from `lab.images.build`.
            binaries: folder of the lab's own kubectl, cosign and the other built programs.
            kubeconfig: an administrator's kubeconfig.
            parts: the optional parts.
            say: receives progress messages.
        """
        self.cluster = Cluster(binaries / "kubectl", kubeconfig)
        self.overlay, self.parts = state / "overlay", tuple(parts)
        self._state, self._refs, self._binaries, self._say = state, refs, binaries, say

    @cached_property
    def _base(self) -> list[Manifest]:
        """Return the documents that belong to none of the parts."""
        others = {deploy.identity(d) for part in self.parts for d in self._documents(part)}
        return [d for d in self.cluster.rendered(self.overlay) if deploy.identity(d) not in others]

    def _documents(self, part: Part) -> tuple[Manifest, ...]:
        return tuple(self.cluster.rendered(self.overlay / part.name)) if part.folders else ()

    def context(self, part: Part) -> Context:
        """Return the context that `part` works in."""
        authority = pki.Pair((self._state / "ca.crt").read_bytes(), (self._state / "ca.key").read_bytes())
        documents = self._documents(part)
        return Context(self._binaries, self._state, self.cluster, authority, self._refs, documents, self._say)

    def sign(self) -> dict[str, str]:
        """Sign every image, write the overlay, and return the sample images; see `lab.signing.samples`.

        Raises:
            SigningError: cosign failed.
        """
        signer = Signer(self._binaries / "cosign", CACHE / "keys", Registry(REGISTRY))
        signer.sign(sorted(self._refs.values()))
        overlay.write(self.overlay, self._refs, signer.public(), self.parts)
        return samples(self._binaries, Layout(CACHE / "images"), signer)

    def admission(self, made: Mapping[str, str]) -> None:
        """Apply namespaces, CRDs and the signature gate; wait until it refuses and admits as it should.

        Raises:
            NotReadyError: something did not reach the desired state in four minutes.
        """
        first, gate, rules, _ = deploy.stages(self._base)
        self.cluster.apply([*first, *self._firsts()])
        deploy.established(self.cluster)
        self.cluster.apply(gate)
        deploy.rolled_out(self.cluster, *deploy.WEBHOOK)
        deploy.webhooks_armed(self.cluster)
        self.cluster.apply(rules)
        deploy.policy_compiled(self.cluster)
        deploy.gate_closed(self.cluster, made)

    def _firsts(self) -> list[Manifest]:
        return [d for part in self.parts for d in self._documents(part) if d["kind"] in FIRST]

    def secrets(self) -> None:
        """Encrypt Secrets and the machines' secrets bundle, as Git would hold them; apply the Secrets."""
        sops.bundle(self.overlay, machineconfig.CONFIG / "secrets.yaml")
        sops.encrypted(self.overlay, "platform", [deploy.certificate(self._state)])
        for part in self.parts:
            if made := part.secrets(self.context(part)):
                sops.encrypted(self.overlay, part.name, made)
        self.cluster.apply(sops.decrypted(self.overlay))

    def workloads(self) -> None:
        """Apply what every lab runs, the public API and its gateway; wait until both are rolled out.

        Raises:
            NotReadyError: a Deployment was not ready in four minutes.
        """
        guarded = deploy.stages(self._base)[3]
        self.cluster.apply(guarded)
        for document in guarded:
            if document["kind"] == "Deployment":
                deploy.rolled_out(
                    self.cluster, document["metadata"]["namespace"], document["metadata"]["name"]
                )

    def deploy(self, part: Part) -> None:
        """Deploy one part; namespaces, CRDs and Secrets exist already."""
        part.deploy(self.context(part))
