"""What a request to Vault is, in the words of its policies: capability, path, effect."""

from __future__ import annotations

import re

from assay.effect import Effect
from assay.probes.guard import Request


CAPABILITIES = {"get": "read", "list": "list", "delete": "delete"}
# Asked with a body, and nothing is kept of the question.
LOOKUPS = {"auth/token/lookup-accessor", "sys/capabilities-self"}
# The last part is one thing's own name: a policy says `*` for it, and so does the count.
NAMED = re.compile(r"^(auth/.+?/role|sys/policies/acl|[^/]+/(?:data|metadata))/.*$")


def vault_request(method: str, path: str) -> Request:
    """Return what `method` (as HTTP, or `list`) on `path` is, with `*` for the name of a single thing."""
    capability = CAPABILITIES.get(method.lower(), "update")
    looks = capability in ("read", "list") or path in LOOKUPS
    effect = Effect.READS if looks else Effect.WRITES
    return Request("vault", capability, NAMED.sub(r"\1/*", path), effect)
