"""Secrets in machine configurations: where they are, which file they come from, what is missing. Offline."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assay.config.platform import MachineSecretExemption
from assay.config.sops_access import SopsAccess
from assay.errors import ProbeError
from assay.origins.levels import KeyProvenance
from assay.origins.machines import (
    BUNDLE,
    EncryptedConfig,
    classify_machines,
)
from assay.origins.sops_secrets import encrypted_configs, sops_secrets
from assay.origins.talos_secrets import encrypted_config, machine_secrets
from assay.origins.tracer import by_owner
from assay.probes.sops.client import Sops
from assay.secretscan.fingerprint import Fingerprinter
from assay.secretscan.machine_places import PLACES, secret_place, without_indices


KEYED = Fingerprinter()
VALUE = "kQ93-vLmZ0pWtXy7bb"
JOIN, BOOT, OTHER = (".".join((first, "0123456789abcdef")) for first in ("ghijkl", "abcdef", "other1"))
KEY = "short"
WHERE = "secrets/talos/secrets.sops.yaml"
BUNDLED: dict[str, Any] = {
    "cluster": {"id": "an-id", "secret": "cluster-secret"},
    "secrets": {"bootstraptoken": BOOT, "secretboxencryptionsecret": "box"},
    "trustdinfo": {"token": JOIN},
    "certs": {
        "etcd": {"crt": "c", "key": "etcd-key"},
        "k8s": {"crt": "c", "key": "k8s-key"},
        "k8saggregator": {"crt": "c", "key": "aggregator-key"},
        "k8sserviceaccount": {"key": "account-key"},
        "os": {"crt": "c", "key": "os-key"},
    },
}
MADE: dict[str, Any] = {
    "version": "v1alpha1",
    "machine": {
        "type": "controlplane", "token": JOIN, "ca": {"crt": "c", "key": "os-key"},
    },
    "cluster": {
        "id": "an-id", "secret": "cluster-secret", "token": BOOT,
        "secretboxEncryptionSecret": "box", "ca": {"crt": "c", "key": "k8s-key"},
        "aggregatorCA": {"crt": "c", "key": "aggregator-key"}, "serviceAccount": {"key": "account-key"},
        "etcd": {"ca": {"crt": "c", "key": "etcd-key"}},
    },
}  # fmt: skip


def known(*documents: dict[str, Any]) -> list[EncryptedConfig]:
    found = [encrypted_config(WHERE, one, KEYED) for one in documents]
    return [one for one in found if one is not None]


def steps(
    document: dict[str, Any], *files: dict[str, Any], exempt: MachineSecretExemption | None = None
) -> list[KeyProvenance]:
    found = machine_secrets("cp-1", [document], KEYED, frozenset())
    return classify_machines(found, known(*files), [exempt] if exempt else [])


def changed(**machine: Any) -> dict[str, Any]:  # noqa: ANN401 - a configuration holds anything
    return {**MADE, "machine": {**MADE["machine"], **machine}}


def test_every_secret_of_a_bundle_is_equal() -> None:
    found = steps(MADE, BUNDLED)
    assert {step.level for step in found} == {"R4"}
    assert {step.key for step in found} == {*BUNDLE.values()} - {"cluster.aescbcEncryptionSecret"}
    assert {(step.ref, step.source) for step in found} == {("Machine cp-1", f"SOPS {WHERE}")}


def test_every_place_of_the_bundle_is_a_secret_one() -> None:
    assert {tuple(path.split(".")) for path in BUNDLE.values()} == PLACES


def test_another_value_is_declared_only() -> None:
    (step,) = [one for one in steps(changed(token=OTHER), BUNDLED) if not one.proven]
    assert (step.ref, step.key, step.level) == ("Machine cp-1", "machine.token", "R1")
    assert step.next_level == "its value is not the file's"


def test_without_a_bundle_nothing_is_proven() -> None:
    found = steps(MADE)
    assert {step.level for step in found} == {"-"}
    assert all("no SOPS file has it" in step.missing for step in found)


SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  pin: NDcxMS0wODE1\n"
PLACED = [
    ({"files": [{"path": "/var/a", "content": f"user=app\npassword={VALUE}\n"}]}, "machine.files[0].content"),
    ({"files": [{"path": "/var/a", "content": base64.b64encode(f"password: {VALUE}\n".encode()).decode()}]},
     "machine.files[0].content"),
    ({"registries": {"config": {"registry.example:5000": {"auth": {"username": "ci", "password": "x1"}}}}},
     "machine.registries.config.registry.example:5000.auth.password"),
    ({"registries": {"config": {"r": {"tls": {"clientIdentity": {"crt": "c", "key": "k"}}}}}},
     "machine.registries.config.r.tls.clientIdentity.key"),
    ({"network": {"interfaces": [{"interface": "wg0", "wireguard": {"privateKey": KEY}}]}},
     "machine.network.interfaces[0].wireguard.privateKey"),
    ({"systemDiskEncryption": {"state": {"keys": [{"static": {"passphrase": 12345678}}]}}},
     "machine.systemDiskEncryption.state.keys[0].static.passphrase"),
    ({"env": {"https_proxy": f"http://me:{VALUE}@proxy:3128"}}, "machine.env.https_proxy"),
    ({"nodeAnnotations": {"example.com/note": f"hvs.{VALUE}{VALUE}".replace("-", "x")}},
     "machine.nodeAnnotations.example.com/note"),
    ({"kubelet": {"extraArgs": {"bootstrap-token": VALUE}}}, "machine.kubelet.extraArgs.bootstrap-token"),
    ({"pods": [{"spec": {"containers": [{"env": [{"name": "DB_PASSWORD", "value": VALUE}]}]}}]},
     "machine.pods[0].spec.containers[0].env[0].value"),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "place"), PLACED)
def test_a_secret_is_seen_in_every_place(machine: dict[str, Any], place: str) -> None:
    (step,) = [one for one in steps(changed(**machine), BUNDLED) if not one.proven]
    assert (step.key, step.level) == (place, "-")
    assert VALUE not in str(step)


@pytest.mark.parametrize(("machine", "place"), PLACED)
def test_an_encrypted_patch_is_a_source(machine: dict[str, Any], place: str) -> None:
    assert all(one.proven for one in steps(changed(**machine), BUNDLED, {"machine": machine})), place


def test_a_patch_counts_from_its_own_beginning() -> None:
    first, own = (
        {"path": "/var/a", "content": "nothing"},
        {"path": "/var/b", "content": f"password={VALUE}\n"},
    )
    assert all(
        one.proven for one in steps(changed(files=[first, own]), BUNDLED, {"machine": {"files": [own]}})
    )


@pytest.mark.parametrize(
    "contents", [SECRET, f"---\n# Source: a\n{SECRET}", f"kind: ConfigMap\ndata:\n  token: {VALUE}\n"]
)
def test_an_inline_manifest_is_read(contents: str) -> None:
    cluster = {**MADE["cluster"], "inlineManifests": [{"name": "a", "contents": contents}]}
    (step,) = [one for one in steps({**MADE, "cluster": cluster}, BUNDLED) if not one.proven]
    assert step.key == "cluster.inlineManifests[0].contents"


def test_headers_for_manifests_are_secret_whatever_they_say() -> None:
    cluster = {**MADE["cluster"], "extraManifestHeaders": {"X-One": "plain"}}
    (step,) = [one for one in steps({**MADE, "cluster": cluster}, BUNDLED) if not one.proven]
    assert step.key == "cluster.extraManifestHeaders.X-One"


def test_documents_beside_the_main_one_are_read() -> None:
    tunnel = {"apiVersion": "v1alpha1", "kind": "WireguardConfig", "name": "wg0", "privateKey": KEY}
    found = machine_secrets("w", [MADE, tunnel], KEYED, frozenset())
    (step,) = [one for one in classify_machines(found, known(BUNDLED), []) if not one.proven]
    assert step.key == "WireguardConfig wg0.privateKey"
    assert all(one.proven for one in classify_machines(found, known(BUNDLED, tunnel), []))


def test_a_copy_of_a_secret_is_one_here_too() -> None:
    found = machine_secrets(
        "w", [changed(sysctls={"a.b": VALUE})], KEYED, {KEYED.fingerprint(VALUE.encode())}
    )
    (step,) = [one for one in classify_machines(found, known(BUNDLED), []) if not one.proven]
    assert (step.key, "copy" in step.missing) == ("machine.sysctls.a.b", True)


def test_what_is_no_secret_is_no_step() -> None:
    innocent = changed(
        files=[{"path": "/var/a", "content": "[plugins]\n  restrict_oom_score_adj = true\n"}],
        kubelet={"extraConfig": {"registerWithTaints": [{"key": "pool", "value": "db"}]}},
        certSANs=["10.98.0.1"],
    )
    assert len(steps(innocent, BUNDLED)) == len(steps(MADE, BUNDLED))


def test_a_machine_without_a_secret_was_not_read() -> None:
    with pytest.raises(ProbeError, match="Machine cp-1: no secret"):
        machine_secrets("cp-1", [{"machine": {"type": "worker"}}], KEYED, frozenset())


def test_the_policy_says_which_are_neither() -> None:
    machine = {"files": [{"path": "/var/a", "content": f"password={VALUE}"}]}
    mine = steps(
        changed(**machine),
        BUNDLED,
        exempt=MachineSecretExemption("cp-*", "machine.files.content", "a test file's"),
    )
    (step,) = [one for one in mine if one.level == "R0"]
    assert (step.proven, step.next_level) == (True, "a test file's")
    assert not all(
        one.proven
        for one in steps(
            changed(**machine), BUNDLED, exempt=MachineSecretExemption("db-*", "machine.files.content", "no")
        )
    )
    # What a file declares is judged by the file.
    other = steps(changed(token=OTHER), BUNDLED, exempt=MachineSecretExemption("*", "machine.token", "no"))
    assert [one.level for one in other if not one.proven] == ["R1"]


def test_manifests_say_nothing_of_machines() -> None:
    assert known({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {}}) == []
    assert known({"apiVersion": "a/v1", "kind": "B", "metadata": {}, "cluster": {"secret": "x"}}) == []


def test_no_value_is_shown() -> None:
    found = machine_secrets("cp-1", [changed(files=[{"content": f"password={VALUE}"}])], KEYED, frozenset())
    assert VALUE not in repr(found)
    assert "os-key" not in repr(known(BUNDLED)) + repr(found)


def test_the_report_is_by_machine() -> None:
    assert by_owner(steps(MADE, BUNDLED)) == {
        "Machine cp-1": "9 R4; R5: a rotation that is followed (SEC-26)"
    }
    (line,) = by_owner(steps(changed(token="other"), BUNDLED)).values()
    assert line.startswith("8 R4, 1 R1; its value is not the file's (machine.token); R5: ")


@pytest.mark.parametrize(("place", "path"), [("a[0].b[12].c", "a.b.c"), ("a.b", "a.b"), ("a[x].b", "a[x].b")])
def test_numbers_of_lists_do_not_count(place: str, path: str) -> None:
    assert without_indices(place) == path


@given(st.lists(st.text(max_size=12), max_size=5))
def test_any_path_can_be_asked_about(path: list[str]) -> None:
    assert secret_place(path) in (True, False)


# the files themselves -------------------------------------------------------------------------------

SEALED = """kind: ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]
trustdinfo: {token: x}
sops: {mac: x, age: [{recipient: age1x, enc: x}], version: 3.11.0}
"""


def stack(tmp_path: Path, clear: str, code: int = 0) -> Sops:
    """Return the probe over one file, with a program in the place of sops that prints `clear`."""
    tree = tmp_path / "secrets"
    (tree / "talos").mkdir(parents=True)
    (tree / "talos" / "secrets.sops.yaml").write_text(SEALED)
    (tmp_path / "clear").write_text(clear)
    program, key = tmp_path / "sops", tmp_path / "age.key"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/clear\nexit {code}\n")
    program.chmod(0o755)
    key.write_text("")
    return Sops(SopsAccess(program, (key,), None, (tree,)), ())


def test_a_bundle_is_found_among_the_files(tmp_path: Path) -> None:
    sops = stack(tmp_path, yaml.safe_dump(BUNDLED))
    found = machine_secrets("cp-1", [MADE], KEYED, frozenset())
    assert all(one.proven for one in classify_machines(found, encrypted_configs(sops, KEYED), []))
    assert sops_secrets(sops, KEYED) == []


@pytest.mark.parametrize(("clear", "code"), [("", 128), ("a: [\n", 0), (f"a: {VALUE}: b\n", 0)])
def test_what_does_not_open_is_an_error(tmp_path: Path, clear: str, code: int) -> None:
    with pytest.raises(ProbeError) as error:
        encrypted_configs(stack(tmp_path, clear, code), KEYED)
    assert VALUE not in str(error.value)
    assert error.value.__cause__ is None
