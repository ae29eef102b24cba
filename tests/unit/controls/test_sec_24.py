"""SEC-24 on Vaults that are not the lab's: other storage, one address for all, audit that keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from assay.config.platform import Platform, VaultLayout, VaultStorage
from assay.errors import ProbeError
from assay.model import Record, Tier, Verdict
from assay.probes.vault.facts import AuditDevice, Autopilot, Health, Peer, Token, VaultNode
from tests.unit.support.judging import judged


FILE = AuditDevice("file/", "file", {"file_path": "/vault/audit.log"})
WORKLOAD = Token("accessor-1", ("api",), "kubernetes", "auth/kubernetes/login", 900, "", False)
ROOT = Token("accessor-2", ("root",), "root", "auth/token/root", 0, "", True)
CONSUL = (VaultStorage("consul", "five servers in three zones"),)


@dataclass
class FakeVault:
    """Answers as a Vault does; the default is a healthy one with its own storage."""

    kind: str = "raft"
    codes: tuple[int, ...] = (200, 429, 429)
    ha: bool = True
    known: tuple[VaultNode, ...] = (VaultNode("vault-0", True), VaultNode("vault-1", False))
    devices: tuple[AuditDevice, ...] = (FILE,)
    found: tuple[Token, ...] = (WORKLOAD,)
    refused: tuple[str, ...] = ()
    addresses: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.addresses = tuple(f"https://vault-{n}" for n in range(len(self.codes)))

    def _given(self, what: str, answer: object) -> object:
        if what in self.refused:
            raise ProbeError(f"{what}: the token has no right to it", "give it the policy")
        return answer

    def health(self) -> list[Health]:
        return [Health(a, c, True, c == 503) for a, c in zip(self.addresses, self.codes, strict=True)]

    def __getattr__(self, name: str) -> Callable[[], object]:
        peers = [Peer(f"vault-{n}", f"vault-{n}:8201", n == 0, True) for n in range(3)]
        answers: dict[str, object] = {
            "storage": self.kind, "ha_enabled": self.ha, "nodes": list(self.known), "peers": peers,
            "autopilot": Autopilot(True, 1, ()), "audit_devices": list(self.devices),
            "tokens": list(self.found),
        }  # fmt: skip
        return lambda: self._given(name, answers[name])


def verdict(vault: FakeVault, storages: tuple[VaultStorage, ...] = ()) -> tuple[Verdict, str, Record]:
    platform = Platform(vault=VaultLayout(storages=storages))
    return judged("SEC-24", Tier.LIVE, SimpleNamespace(vault=vault, platform=platform))


def test_a_healthy_vault_passes() -> None:
    assert verdict(FakeVault())[0] is Verdict.PASS


@pytest.mark.parametrize("code", [200, 429])
def test_one_address_may_stand_for_all_members(code: int) -> None:
    assert verdict(FakeVault(codes=(code,)))[0] is Verdict.PASS


def test_no_active_member_among_all_of_them_is_seen() -> None:
    found, reason, _ = verdict(FakeVault(codes=(429, 429, 429)))
    assert found is Verdict.FAIL
    assert "0 are active" in reason


def test_other_storage_is_judged_by_who_takes_over_and_by_what_is_declared_of_it() -> None:
    found, _, record = verdict(FakeVault(kind="consul", codes=(200,)), CONSUL)
    assert found is Verdict.PASS
    assert "five servers in three zones" in record.basis[0]


def test_other_storage_of_which_nothing_is_declared_cannot_pass() -> None:
    found, reason, _ = verdict(FakeVault(kind="postgresql"))
    assert found is Verdict.NOT_CHECKED
    assert "postgresql" in reason


@pytest.mark.parametrize(("vault", "says"), [
    (FakeVault(kind="file", codes=(200,), ha=False), "no other member takes over"),
    (FakeVault(kind="consul", codes=(200,), known=(VaultNode("a", True),)), "survives the loss of 0"),
    (FakeVault(kind="consul", known=(VaultNode("a", True), VaultNode("b", True))), "2 are active"),
])  # fmt: skip
def test_a_vault_that_stops_with_one_member_is_an_offender(vault: FakeVault, says: str) -> None:
    found, reason, _ = verdict(vault, (*CONSUL, VaultStorage("file", "a disk that never breaks")))
    assert found is Verdict.FAIL
    assert says in reason


@pytest.mark.parametrize(
    "options", [{"file_path": "discard"}, {"path": "/dev/null"}, {"filter": "mount_type == kv"}]
)
def test_a_device_that_keeps_nothing_is_no_audit(options: dict[str, str]) -> None:
    lost = AuditDevice("lost/", "file", options)
    found, reason, _ = verdict(FakeVault(devices=(lost,)))
    assert found is Verdict.FAIL
    assert "VaultAudit lost/" in reason
    assert verdict(FakeVault(devices=(lost, FILE)))[0] is Verdict.PASS


def test_without_any_device_there_is_no_audit() -> None:
    assert verdict(FakeVault(devices=()))[0] is Verdict.FAIL


@pytest.mark.parametrize("refused", ["peers", "audit_devices", "tokens"])
def test_what_is_not_answered_hides_nothing_and_never_passes(refused: str) -> None:
    assert verdict(FakeVault(refused=(refused,)))[0] is Verdict.ERROR
    sealed = FakeVault(refused=(refused,), codes=(200, 429, 503), found=(ROOT,))
    found, reason, _ = verdict(sealed)
    assert found is Verdict.FAIL
    assert f"{refused}: the token has no right to it" in reason


def test_a_root_token_is_named() -> None:
    found, reason, _ = verdict(FakeVault(found=(WORKLOAD, ROOT)))
    assert found is Verdict.FAIL
    assert "VaultToken root accessor" in reason
