"""Readers of Vault's answers, policies and roles: what is known is read, everything else is an ERROR."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.profile import Profile, VaultAccess
from assay.errors import ProbeError
from assay.probes.vault import facts
from assay.probes.vault.client import Vault, VaultAnswer, needed
from assay.probes.vault.policy import VaultFiles, policy, vault_role
from assay.writers.vault import shares_of, unmasked


SECRET = "-".join(("s3cret", "value", "that", "never", "shows"))
TOKEN = "hvs.only-for-this-test"


def policy_or_error(text: str) -> None:
    with contextlib.suppress(ProbeError):
        assert policy("p", text).name == "p"


# policies --------------------------------------------------------------------------------------------


def test_hcl_and_json_mean_the_same() -> None:
    hcl = policy("p", '# x\npath "kv/data/a" {\n  capabilities = ["read", "list"]\n}\n')
    same = policy("p", '{"path": {"kv/data/a": {"capabilities": ["list", "read"]}}}')
    assert hcl == same
    assert hcl.rules[0].capabilities == ("list", "read")


@pytest.mark.parametrize(
    ("path", "wild"),
    [("kv/data/a", False), ("kv/data/*", True), ("kv/+/a", True), ("kv/a+b", False), ("*", True),
     ("kv/data/{{identity.entity.name}}", True)],
)  # fmt: skip
def test_a_path_that_stands_for_more_than_one(path: str, wild: bool) -> None:
    assert policy("p", f'path "{path}" {{ capabilities = ["read"] }}').rules[0].wild is wild


def test_shorthand_and_deny() -> None:
    wide, none = (
        policy("p", 'path "a" { policy = "sudo" }').rules
        + policy("p", 'path "b" { capabilities = ["read", "deny"] }').rules
    )
    assert "sudo" in wide.capabilities
    assert none.capabilities == ("deny",)
    assert not none.grants


@pytest.mark.parametrize(
    "text",
    [
        'path "a" {',
        'path "a" { capabilities = "read" }',
        'path "a" { capabilities = ["reed"] }',
        'path "a" { policy = "all" }',
        'path "a" { capabilities = ["read"] }\npath "a" { capabilities = ["sudo"] }',
        'resource "x" "y" {}',
        'paths = ["a"]',
        "{",
        "[]",
        '{"path": {"a": "read"}}',
        '{"path": ["a"]}',
        '{"path": {"a": {"capabilities": [1]}}}',
        '{"paths": {}}',
        "#" * 300_000,
    ],
)
def test_a_text_that_is_no_policy_is_an_error(text: str) -> None:
    with pytest.raises(ProbeError):
        policy("p", text)


@given(st.text(max_size=200))
def test_any_text_is_a_policy_or_an_error(text: str) -> None:
    policy_or_error(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(JSON)
def test_any_json_is_a_policy_or_an_error(thing: object) -> None:
    for text in (json.dumps(thing), json.dumps({"path": thing}), json.dumps({"path": {"a": thing}})):
        policy_or_error(text)


# roles -----------------------------------------------------------------------------------------------

NARROW = {
    "bound_service_account_names": ["api"], "bound_service_account_namespaces": ["shop"],
    "audience": "vault", "token_policies": ["api"], "token_ttl": "15m", "token_max_ttl": 3600,
}  # fmt: skip


def test_a_narrow_role_has_no_open_end() -> None:
    read = vault_role("api", NARROW)
    assert (read.ttl, read.max_ttl, read.open_ends()) == (900, 3600, [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bound_service_account_names": ["*"]}, "service accounts: *"),
        ({"bound_service_account_names": "api,team-*"}, "team-*"),
        ({"bound_service_account_names": []}, "names no service accounts"),
        ({"bound_service_account_namespaces": ["*"]}, "namespaces: *"),
        ({"bound_service_account_namespaces": [], "bound_service_account_namespace_selector": "{}"}, "label"),
        ({"audience": ""}, "no audience"),
        ({"token_policies": ["root"]}, "policy root"),
        ({"token_period": 60}, "never ends"),
    ],
)
def test_open_ends_of_a_role(change: dict[str, Any], says: str) -> None:
    assert says in "; ".join(vault_role("api", {**NARROW, **change}).open_ends())


@pytest.mark.parametrize(
    "change",
    [{"token_ttl": "soon"}, {"token_ttl": -1}, {"token_ttl": True}, {"audience": ["a"]},
     {"bound_service_account_names": [1]}, {"token_policies": 5}],
)  # fmt: skip
def test_a_role_of_another_shape_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(ProbeError):
        vault_role("api", {**NARROW, **change})


def test_declared_files(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="holds nothing"):
        VaultFiles(tmp_path).roles()
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "api.json").write_text("{")
    with pytest.raises(ProbeError, match="not JSON"):
        VaultFiles(tmp_path).roles()
    (tmp_path / "roles" / "api.json").write_text(json.dumps(NARROW))
    assert VaultFiles(tmp_path).roles()[0].ref == "VaultRole kubernetes/api"
    (tmp_path / "roles" / "edge").mkdir()
    (tmp_path / "roles" / "edge" / "api.json").write_text(json.dumps(NARROW))
    assert [one.ref for one in VaultFiles(tmp_path, "k8s").roles()] == [
        "VaultRole k8s/api",
        "VaultRole edge/api",
    ]


@pytest.mark.parametrize(("path", "own"), [
    ("kv/data/shop/db", True), ("kv/data/prod-shop/db", True), ("database/creds/api_read", True),
    ("kv/data/shopping/db", False), ("kv/data/postgres/superuser", False), ("database/creds/admin", False),
    ("auth/token/lookup-self", True), ("auth/token/lookup", False), ("sys/storage/raft/snapshot", False),
])  # fmt: skip
def test_a_path_is_the_roles_own_if_it_bears_a_name_of_it(path: str, own: bool) -> None:
    assert vault_role("reader", NARROW).owns(path) is own


def test_lives_of_roles_as_go_writes_them() -> None:
    assert vault_role("api", {**NARROW, "token_ttl": "1h30m", "token_max_ttl": "2h0m0s"}).ttl == 5400


def test_policies_are_compared_without_what_only_the_running_vault_knows() -> None:
    written, running = (
        policy(
            "p",
            f'path "kv/{{{{identity.entity.aliases.{one}.metadata.x}}}}" {{ capabilities = ["read"] }}',
        )
        for one in ("*", "auth_kubernetes_1a2b3c4d")
    )
    assert written.comparable == running.comparable
    assert written.comparable != policy("p", 'path "kv/data/a" { capabilities = ["read"] }').comparable


# answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "sealed", "works"),
    [(200, False, True), (429, False, True), (472, False, True), (473, False, True), (501, True, False),
     (503, True, False), (200, True, False)],
)  # fmt: skip
def test_states_of_a_member(code: int, sealed: bool, works: bool) -> None:
    assert facts.health("m", code, {"initialized": code != 501, "sealed": sealed}).works is works


@pytest.mark.parametrize(
    ("code", "said"), [(404, {"sealed": False}), (200, {}), (200, {"sealed": "no"}), (0, {})]
)
def test_another_answer_than_vaults_is_an_error(code: int, said: dict[str, Any]) -> None:
    with pytest.raises(ProbeError):
        facts.health("m", code, said)


@pytest.mark.parametrize(
    ("status", "says"),
    [(403, "no right"), (404, "not there"), (501, "not initialised"), (503, "sealed"), (500, "HTTP 500")],
)
def test_a_refusal_says_which_one_and_has_a_remedy(status: int, says: str) -> None:
    with pytest.raises(ProbeError, match=says) as raised:
        needed("m", "sys/audit", VaultAnswer(status, {"errors": ["x"]}))
    assert raised.value.remedy


def test_times_with_nanoseconds() -> None:
    assert facts.moment("2026-11-23T22:15:30.123456789Z") == datetime(2026, 11, 23, 22, 15, 30, 123456, UTC)
    assert facts.moment("2026-11-23T22:15:30Z").second == 30
    for text in ("", "yesterday", None, "2026-11-23T22:15:30"):
        with pytest.raises(ProbeError):
            facts.moment(text)


def test_a_token_with_root_by_its_identity() -> None:
    read = facts.token({"data": {"accessor": "abcdefghij", "policies": ["x"], "identity_policies": ["root"]}})
    assert read.is_root
    assert read.ref == "VaultToken nameless abcdefgh"


@given(st.dictionaries(st.sampled_from(["data", "sealed", "config"]), JSON))
def test_any_answer_is_read_or_an_error(said: dict[str, Any]) -> None:
    for read in (facts.peers, facts.autopilot, facts.audit_devices, facts.token):
        with contextlib.suppress(ProbeError):
            read(said)


# escrow ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "{}", '{"shares": [], "threshold": 3}', '{"shares": ["a"], "threshold": 3}', "[1]"]
)
def test_an_incomplete_kit_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "kit").write_text(text)
    with pytest.raises(ProbeError, match="kit"):
        shares_of(tmp_path / "kit")


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_masked_token_is_read_or_an_error(encoded: str, otp: str) -> None:
    with contextlib.suppress(ProbeError):
        unmasked(encoded, otp)


# the probe against a scripted server ------------------------------------------------------------------


class Script(BaseHTTPRequestHandler):
    """Answers from `answers`: (method, path) -> (status, body)."""

    answers: ClassVar[dict[tuple[str, str], tuple[int, object]]] = {}

    def _reply(self) -> None:
        status, body = self.answers.get((self.command, self.path), (404, {"errors": []}))
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def __getattr__(self, name: str) -> object:
        """Answer every method in the same way."""
        if name.startswith("do_"):
            return self._reply
        raise AttributeError(name)

    def log_message(self, *words: object) -> None:
        """Say nothing."""


@pytest.fixture
def vault() -> Iterator[Vault]:
    server = HTTPServer(("127.0.0.1", 0), Script)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    Script.answers = {("GET", "/v1/sys/health"): (200, {"initialized": True, "sealed": False})}
    yield Vault((f"http://127.0.0.1:{server.server_port}",), Path("/dev/null"), TOKEN)
    server.shutdown()
    server.server_close()


def _kv(version: str) -> tuple[int, object]:
    return 200, {"data": {"kv/": {"type": "kv", "options": {"version": version}}}}


def test_a_value_comes_out_as_a_digest_only(vault: Vault) -> None:
    Script.answers |= {
        ("GET", "/v1/sys/mounts"): _kv("2"),
        ("GET", "/v1/kv/data/shop/api"): (200, {"data": {
            "data": {"password": SECRET, "list": [1, 2]},
            "metadata": {"version": 3, "created_time": "2026-11-23T22:15:30.1Z"}}}),
    }  # fmt: skip
    one, other = vault.entry("shop/api", b"k1"), vault.entry("shop/api", b"k2")
    assert SECRET not in repr(one)
    assert one.version == 3
    assert one.digests != other.digests
    assert one.digests == vault.entry("shop/api", b"k1").digests


def test_kv_version_1_is_an_error_with_a_remedy(vault: Vault) -> None:
    Script.answers[("GET", "/v1/sys/mounts")] = _kv("1")
    with pytest.raises(ProbeError, match="kv 1, not KV version 2") as raised:
        vault.entry("shop/api", b"k")
    assert "enable-versioning" in raised.value.remedy


def test_a_deleted_version_is_an_error(vault: Vault) -> None:
    Script.answers |= {
        ("GET", "/v1/sys/mounts"): _kv("2"),
        ("GET", "/v1/kv/data/a"): (200, {"data": {"data": None, "metadata": {"version": 1}}}),
    }
    with pytest.raises(ProbeError, match="deleted"):
        vault.entry("a", b"k")


def test_sealed_everywhere_is_an_error_that_names_the_members(vault: Vault) -> None:
    Script.answers[("GET", "/v1/sys/health")] = (503, {"initialized": True, "sealed": True})
    with pytest.raises(ProbeError, match=r"no unsealed member.*sealed"):
        vault.peers()


def test_a_token_without_rights_is_an_error_and_never_shown(vault: Vault) -> None:
    Script.answers[("GET", "/v1/sys/audit")] = (403, {"errors": ["permission denied"]})
    with pytest.raises(ProbeError, match="no right") as raised:
        vault.audit_devices()
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"sealed":'])
def test_another_server_is_an_error(vault: Vault, body: bytes) -> None:
    Script.answers[("GET", "/v1/sys/health")] = (200, body)
    with pytest.raises(ProbeError):
        vault.health()


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(ProbeError, match="ConnectionError") as raised:
        Vault(("http://127.0.0.1:1",), Path("/dev/null"), TOKEN).health()
    assert TOKEN not in str(raised.value)


def test_without_a_ca_of_its_own_vault_is_verified_by_the_systems_authorities(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text(TOKEN)
    access = VaultAccess(addresses=("https://vault",), token=token)
    vault = Vault.from_profile(Profile(tmp_path / "p.toml", "p", "production", vault=access))
    (connection,) = vault._connections.values()
    trusted = connection._client.adapter._kwargs["verify"]
    assert trusted
    assert trusted != "None"
    broken = Profile(tmp_path / "p.toml", "p", "production", vault=replace(access, ca=tmp_path / "ca.crt"))
    with pytest.raises(ProbeError, match=r"vault\.ca: ca\.crt is missing"):
        Vault.from_profile(broken)
