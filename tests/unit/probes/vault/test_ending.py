"""What ends between the list and the look: tokens, roles and policies of a Vault that goes on working."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from assay.errors import ProbeError
from assay.probes.vault import client
from assay.probes.vault.client import Vault, VaultAnswer


class Ending:
    """A connection to a Vault in which things go while they are read: each list is the next of `lists`."""

    address = "https://vault"

    def __init__(self, refusals: Mapping[str, VaultAnswer], *lists: Sequence[str]) -> None:
        """Refuse what is in `refusals`, and list the last of `lists` for good."""
        self.refusals, self.lists = refusals, list(lists)

    def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> VaultAnswer:
        """Return the next list, or what is known of one thing."""
        if method == "list":
            keys = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            return VaultAnswer(200, {"data": {"keys": list(keys)}})
        name = str(body["accessor"]) if body else path.rsplit("/", 1)[-1]
        known = {"accessor": name, "policies": ["x"], "policy": "", "bound_service_account_names": []}
        return self.refusals.get(name, VaultAnswer(200, {"data": known}))


READS: dict[str, Callable[[Vault], Sequence[object]]] = {
    "tokens": Vault.tokens,
    "policies": Vault.policies,
    "roles": Vault.roles,
}


def ending(refusals: Mapping[str, VaultAnswer], *lists: Sequence[str]) -> Vault:
    """Return Vault over such a connection."""
    vault = Vault(("https://vault",), None, "")
    vault.connection = Ending(refusals, *lists)  # type: ignore[assignment]
    return vault


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "answer",
    [
        VaultAnswer(403, {"errors": ["invalid accessor"]}),
        VaultAnswer(403, {"errors": ["bad token"]}),
        VaultAnswer(403, {"errors": ["permission denied"]}),
        VaultAnswer(400, {"errors": ["invalid accessor"]}),
        VaultAnswer(404, {"errors": []}),
    ],
    ids=lambda one: f"{one.status} {one.words}",
)
def test_what_ends_between_the_list_and_the_look_is_left_out(read: str, answer: VaultAnswer) -> None:
    """Whatever the words of the refusal: the list decides, also where it shows the thing a while longer."""
    vault = ending({"b": answer}, ["a", "b", "c"], ["a", "b", "c"], ["a", "c"])
    assert len(READS[read](vault)) == 2


@pytest.mark.parametrize("read", READS)
def test_what_is_refused_and_stays_is_an_error(read: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ENDING_S", 0.0)
    vault = ending({"b": VaultAnswer(403, {"errors": ["permission denied"]})}, ["a", "b"])
    with pytest.raises(ProbeError, match=r"1 of 2 of .*no right"):
        READS[read](vault)


def test_where_nothing_can_be_read_nobody_waits_for_an_end() -> None:
    vault = ending({"a": VaultAnswer(403, {"errors": ["bad token"]})}, ["a"])
    with pytest.raises(ProbeError, match="1 of 1 of"):
        vault.tokens()


def test_another_failure_than_a_refusal_is_an_error_at_once() -> None:
    vault = ending({"b": VaultAnswer(500, {"errors": ["storage"]})}, ["a", "b"], ["a"])
    with pytest.raises(ProbeError, match="HTTP 500"):
        vault.tokens()
