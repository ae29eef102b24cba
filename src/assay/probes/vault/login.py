"""Logins at Vault as a workload makes them, each given back at once."""

from __future__ import annotations

from assay.effect import Effect
from assay.formats.parsing import parsing
from assay.model import Attempt
from assay.probes.guard import Guard
from assay.probes.vault.client import Vault, VaultConnection, needed
from assay.probes.vault.facts import OTHER


class VaultLogins(Vault):
    """The members of the profile, read, and logged in to: Vault makes a token for each, for a moment."""

    @parsing("Vault's answer", OTHER)
    def login(self, name: str, jwt: str, as_what: str, method: str = "kubernetes") -> Attempt:
        """Try to log in to a role with a service account's token; what is got is given back at once.

        Args:
            name: the role.
            jwt: the token.
            as_what: what the attempt is called, for example `web/default as reports`.
            method: the path of the auth method.

        Raises:
            ProbeError: Vault answers with neither yes nor no.
        """
        guard = Guard(Effect.WRITES)
        inside = self._namespace
        connection = VaultConnection(self.connection.address, self._ca, guard=guard, namespace=inside)
        answer = connection.ask("post", f"auth/{method}/login", {"role": name, "jwt": jwt})
        if answer.status in (400, 403):
            return Attempt(f"VaultLogin {as_what}", False, answer.words)
        auth = needed(connection.address, f"auth/{method}/login", answer).get("auth") or {}
        token = str(auth.get("client_token", ""))
        made = VaultConnection(connection.address, self._ca, token, guard, inside)
        made.need("post", "auth/token/revoke-self")
        return Attempt(f"VaultLogin {as_what}", True, f"policies: {', '.join(auth.get('policies') or ())}")
