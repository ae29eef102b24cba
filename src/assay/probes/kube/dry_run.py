"""The Kubernetes API, read, and asked what it would admit; and, bigger still, for tokens of accounts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from assay.effect import Effect
from assay.model import Attempt
from assay.probes.kube import fields
from assay.probes.kube.client import Kube
from assay.probes.kube.paths import collection_of, one
from assay.probes.kube.wire import MERGE


DRY = "?dryRun=All"


class DryRunKube(Kube):
    """The reader, with requests that all of admission judges and nothing stores."""

    EFFECT: ClassVar[Effect] = Effect.DRY_RUN

    def dry_run(self, apiserver: str, manifest: Mapping[str, Any], ref: str) -> Attempt:
        """Return whether one API server would admit the creation of `manifest`.

        All of admission runs, nothing is stored.
        """
        return self.at(apiserver).attempt(ref, "POST", f"{collection_of(manifest)}{DRY}", manifest)

    def dry_run_patch(
        self, apiserver: str, path: str, patch: Mapping[str, object], ref: str, content: str = MERGE
    ) -> Attempt:
        """Return whether one API server would let a patch of what is at `path` through; nothing is stored.

        `content` is the kind of patch: MERGE or STRATEGIC.
        """
        return self.at(apiserver).attempt(ref, "PATCH", f"{path}{DRY}", patch, content)


class TokenKube(DryRunKube):
    """The same, with tokens in the name of service accounts: nothing is stored, yet they are valid."""

    EFFECT: ClassVar[Effect] = Effect.WRITES

    def service_token(self, namespace: str, account: str, audience: str, seconds: int = 600) -> str:
        """Return a short-lived token of a service account for one audience; nothing is stored.

        Raises:
            ProbeError: no such account, or no right to ask for its tokens.
        """
        path = f"{one('ServiceAccount', namespace, account)}/token"
        wanted = {"audiences": [audience], "expirationSeconds": seconds}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": wanted}
        made = self.wire.need(self.wire.ask("POST", path, body), "POST", path).body
        return str(fields.mapping_at(made, "status").get("token", ""))
