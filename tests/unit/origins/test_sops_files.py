"""What counts as rightly encrypted: references, generators, environments, kinds of keys, patterns. Offline."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from assay.config.sops_access import SopsAccess, SopsEnvironment
from assay.errors import ProbeError
from assay.origins.sops_files import encryption_faults
from assay.origins.sops_rules import recipient_faults, rulebook_faults
from assay.probes.sops.client import Sops
from assay.probes.sops.rules import read_rulebook
from tests.unit.probes.sops.test_file import ME, OLDEST, OTHER, file, sealed


SECRET = "kind: Secret\nmetadata: {name: a}\n"


def whys(text: str, folder: Path, name: str = "one.yaml") -> list[str]:
    return [one.why for one in encryption_faults(file(text, folder, name), OLDEST)]


@pytest.mark.parametrize("value", [
    "<path:kv/data/app#password>", "<password>", "${DB_PASSWORD}", "${DB_PASSWORD:?set it}", "$oidc.sso.secret",
    "$argocd-sso:secret", "ref+vault://kv/app#password", "{{ .Values.password }}",
])  # fmt: skip
def test_what_a_deployer_fills_in_is_a_reference(value: str, tmp_path: Path) -> None:
    assert whys(f"{SECRET}stringData:\n  password: '{value}'\n", tmp_path) == []
    coded = base64.b64encode(value.encode()).decode()
    assert whys(f"{SECRET}data:\n  password: {coded}\n", tmp_path) == []


@pytest.mark.parametrize(
    "value", ["changeme", "$ecretWord", "${DB_PASS" + "WORD:-letmein}", "<b>bold</b>", "x ${A} y"]
)
def test_what_holds_a_value_is_none(value: str, tmp_path: Path) -> None:
    assert whys(f"{SECRET}stringData:\n  password: '{value}'\n", tmp_path) == [
        "stringData.password is in clear"
    ]


def test_a_reference_does_not_hide_the_value_beside_it(tmp_path: Path) -> None:
    text = f"{SECRET}stringData:\n  user: ${{USER}}\n  password: letmein\n"
    assert whys(text, tmp_path) == ["stringData.password is in clear"]


def test_a_generator_may_take_an_encrypted_file_and_no_other(tmp_path: Path) -> None:
    text = "secretGenerator:\n- name: a\n  files:\n  - values.yaml=values.sops.yaml\n  - plain.yaml\n"
    (tmp_path / "values.sops.yaml").write_text(sealed())
    (tmp_path / "plain.yaml").write_text("a: 1\n")
    found = whys(text, tmp_path, "kustomization.yaml")
    assert found == ["secretGenerator.0.files.1 takes plain.yaml, which is not encrypted"]


def test_the_code_may_cover_encrypted_values_only(tmp_path: Path) -> None:
    assert whys(sealed(extra="    mac_only_encrypted: true\n"), tmp_path) == []


def test_age_keys_in_groups_are_recipients(tmp_path: Path) -> None:
    block = "          enc: |\n            -----BEGIN AGE ENCRYPTED FILE-----\n            YQ==\n"
    groups = "".join(f"    - age:\n        - recipient: {key}\n{block}" for key in (ME, OTHER))
    text = sealed().partition("    age:\n")[0] + "    key_groups:\n" + groups
    text += "    lastmodified" + sealed().partition("    lastmodified")[2]
    one = file(text + "    shamir_threshold: 2\n", tmp_path)
    assert one.about[0] is not None
    assert (one.about[0].recipients, one.about[0].others) == ((ME, OTHER), ())
    assert not [why for why in whys(text, tmp_path) if "recipient" in why]


@pytest.mark.parametrize("kind", ["hckms", "kms", "pgp", "azure_kv", "of_next_year"])
def test_a_key_of_any_other_kind_opens_the_file_too(kind: str, tmp_path: Path) -> None:
    text = sealed(extra=f"    {kind}:\n        - key_id: a\n          enc: AAAA\n")
    (tmp_path / ".sops.yaml").write_text(
        f"creation_rules:\n  - encrypted_regex: ^(data|stringData|binaryData)$\n    age: {ME}\n"
    )
    book = read_rulebook(tmp_path / ".sops.yaml", ".sops.yaml", in_force=True)
    found = [one.why for one in recipient_faults(file(text, tmp_path), book, frozenset([ME]))]
    assert found == [f"can be opened by other keys than age: {kind}"]


def rules(folder: Path, text: str) -> list[str]:
    (folder / ".sops.yaml").write_text(f"creation_rules:\n{text}")
    book = read_rulebook(folder / ".sops.yaml", ".sops.yaml", in_force=True)
    return [one.why for one in rulebook_faults(book, SopsAccess(recipients=(ME,)), [])]


@pytest.mark.parametrize(("text", "why"), [
    (f"  - encrypted_regex: ^(data|stringData)$\n    age: {ME}\n", []),
    (f"  - mac_only_encrypted: true\n    age: {ME}\n", []),
    (f"  - encrypted_regex: ^data$\n    age: {ME}\n", ["leaves stringData in clear (encrypted_regex)"]),
    (f"  - hckms: tr-west-1\n    age: {ME}\n", ["names other keys than age: hckms"]),
    (f"  - age: {OTHER}\n", [f"names {OTHER}, which is not declared", "leaves out 1 of the declared recipients"]),
])  # fmt: skip
def test_a_rule_is_judged_by_itself(text: str, why: list[str], tmp_path: Path) -> None:
    assert rules(tmp_path, text) == why


@pytest.mark.parametrize("pattern", ["^(?!public).*$", "(?<=a)b", r"(a)\1", "(?>a)"])
def test_a_pattern_that_sops_cannot_read_is_no_rule(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="Go has no lookaround"):
        rules(tmp_path, f"  - path_regex: '{pattern}'\n    age: {ME}\n")
    assert rules(tmp_path, r"  - path_regex: '(?i)\.sops\.(?:yaml|json)$'" + f"\n    age: {ME}\n") == []


def test_each_environment_has_recipients_of_its_own(tmp_path: Path) -> None:
    production = SopsEnvironment(("tree/production/*",), (OTHER,))
    access = SopsAccess(recipients=(ME,), environments=(production,))
    (tmp_path / "production").mkdir()
    text = f"creation_rules:\n  - path_regex: ^production/\n    age: {OTHER}\n  - path_regex: ''\n    age: {ME}\n"
    (tmp_path / ".sops.yaml").write_text(text)
    book = read_rulebook(tmp_path / ".sops.yaml", ".sops.yaml", in_force=True)
    own = file(sealed(), tmp_path)
    theirs = file(sealed(recipient=OTHER), tmp_path, "production/one.sops.yaml")
    assert [one.why for one in rulebook_faults(book, access, [own, theirs])] == []
    assert access.recipients_of(theirs.where) == {OTHER}
    wrong = file(sealed(), tmp_path, "production/two.sops.yaml")
    found = [one.why for one in recipient_faults(wrong, book, access.recipients_of(wrong.where))]
    assert f"can be opened by {ME}, which is not declared" in found


def test_one_rule_for_two_environments_cannot_be_right(tmp_path: Path) -> None:
    access = SopsAccess(recipients=(ME,), environments=(SopsEnvironment(("tree/production/*",), (OTHER,)),))
    (tmp_path / "production").mkdir()
    (tmp_path / ".sops.yaml").write_text(f"creation_rules:\n  - age: {ME},{OTHER}\n")
    book = read_rulebook(tmp_path / ".sops.yaml", ".sops.yaml", in_force=True)
    files = [file(sealed(), tmp_path), file(sealed(), tmp_path, "production/one.sops.yaml")]
    found = {one.why for one in rulebook_faults(book, access, files)}
    assert found == {f"names {ME}, which is not declared", f"names {OTHER}, which is not declared"}


def test_several_identities_are_handed_over_as_one_file_and_a_file_of_nobody_costs_itself(
    tmp_path: Path,
) -> None:
    program = tmp_path / "sops"
    program.write_text(
        '#!/bin/sh\ngrep -q first "$SOPS_AGE_KEY_FILE" && grep -q second "$SOPS_AGE_KEY_FILE" || exit 1\n'
        'case "$*" in *other*) exit 128;; esac\n'
    )
    program.chmod(0o755)
    keys = []
    for name in ("first", "second"):
        keys.append(tmp_path / name)
        keys[-1].write_text(f"{name}\n")
    sops = Sops(SopsAccess(program, tuple(keys), None, (tmp_path / "tree",)), ())
    assert sops.opening_fault(file(sealed(), tmp_path)) == ""
    assert sops.opening_fault(file(sealed(), tmp_path, "other.sops.yaml")) == ""
    assert "none of the given identities" in str(sops.gaps.unread["File tree/other.sops.yaml"])
