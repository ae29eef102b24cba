"""Files of SOPS judged without a key: real shapes, forgeries, cuts, and whatever a generator can think of."""

from __future__ import annotations

import base64
import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.sops_access import SopsAccess
from assay.errors import AssayError, AssumptionError, ProbeError
from assay.formats.yaml_text import documents
from assay.origins.sops_files import encryption_faults
from assay.origins.sops_rules import recipient_faults, rulebook_faults
from assay.probes.sops.client import Sops
from assay.probes.sops.file import ENC, SecretFile, chosen, cipher_fault
from assay.probes.sops.rules import read_rulebook


ME = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
OTHER = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z"
OLDEST = "3.8.0"
RULES = f"""creation_rules:
  - path_regex: \\.sops\\.yaml$
    encrypted_regex: ^(data|stringData|binaryData)$
    age: {ME}
"""


def ciphertext(
    data: bytes = b"\x00\xff\x10", iv: bytes = bytes(range(32)), tag: bytes = bytes(range(16))
) -> str:
    """Return what SOPS would write."""
    data64, iv64, tag64 = (base64.b64encode(part).decode() for part in (data, iv, tag))
    return f"ENC[AES256_GCM,data:{data64},iv:{iv64},tag:{tag64},type:str]"


def sealed(value: str = "", extra: str = "", recipient: str = ME, version: str = "3.11.0") -> str:
    """Return the text of an encrypted Secret."""
    return f"""apiVersion: v1
kind: Secret
metadata:
    name: one
data:
    password: {value or ciphertext()}
    empty: ""
sops:
    age:
        - recipient: {recipient}
          enc: |
            -----BEGIN AGE ENCRYPTED FILE-----
            YQ==
            -----END AGE ENCRYPTED FILE-----
    lastmodified: "2026-11-24T00:09:12Z"
    mac: {ciphertext(b"mac", bytes(range(1, 33)))}
    encrypted_regex: ^(data|stringData|binaryData)$
    version: {version}
{extra}"""


def file(text: str, tmp_path: Path, name: str = "one.sops.yaml") -> SecretFile:
    """Return the file as the probe reads it."""
    path = tmp_path / name
    path.write_text(text)
    return SecretFile(f"tree/{name}", path, tmp_path, tuple(documents(text, name)), text)


def whys(text: str, tmp_path: Path) -> str:
    """Return all faults of a text in one line."""
    return "; ".join(map(str, encryption_faults(file(text, tmp_path), OLDEST)))


def test_an_encrypted_file_has_no_fault(tmp_path: Path) -> None:
    """Ciphertext and empty strings are right."""
    one = file(sealed(), tmp_path)
    assert one.sensitive
    assert not encryption_faults(one, OLDEST)
    assert one.ciphertexts == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (sealed("aHVudGVyMg=="), "is in clear"),
        (sealed("ENC[AES256_GCM,data:aHVudGVy]"), "but is none"),
        (sealed(ciphertext(iv=b"short")), "its iv has 5 bytes"),
        (sealed(ciphertext(tag=bytes(16))), "made up"),
        (sealed(ciphertext(b"correct horse battery")), "readable text"),
        (sealed().replace("    mac: ", "    nomac: "), "has no message authentication code"),
        (sealed(version="3.7.9"), "older than 3.8.0"),
        (sealed(version="main"), "older than 3.8.0"),
        (sealed(recipient="age1x"), "not age public keys"),
        (sealed().replace("            -----BEGIN AGE ENCRYPTED FILE-----\n", ""), "0 wrapped keys"),
        (sealed().replace("2026-11-24T00:09:12Z", "yesterday"), "no readable lastmodified"),
        (sealed().partition("sops:")[0], "nobody can open it"),
        (sealed() + "---\nkind: Secret\ndata:\n  x: eA==\n", "is in clear"),
        (sealed() + "---\nkind: Secret\n", "without sops metadata"),
        ("kind: Secret\nsops: true\n", "has no message authentication code"),
        ("kind: List\nitems:\n- kind: Secret\n  stringData: {x: y}\n", "items.0.stringData.x is in clear"),
    ],
)
def test_what_is_wrong_is_named(text: str, why: str, tmp_path: Path) -> None:
    """Each way to spoil a file has its own words, and none shows a value."""
    found = whys(text, tmp_path)
    assert why in found
    assert "hunter" not in found


@pytest.mark.parametrize(
    "text", ["kind: Secret\ndata: {x: eA==\n", "data:\n  x: 1\n  x: 2\n", "\ufeffkind: Secret\n"]
)
def test_what_cannot_be_read_is_an_error(text: str, tmp_path: Path) -> None:
    """Truncated YAML, duplicate keys and a byte order mark are no verdict."""
    (tmp_path / "one.sops.yaml").write_text(text)
    with pytest.raises(ProbeError):
        _ = Sops(SopsAccess(trees=(tmp_path,)), ()).files


def test_a_shared_iv_is_a_copy(tmp_path: Path) -> None:
    """SOPS never uses an iv twice for different values."""
    text = sealed().replace('    empty: ""', f"    other: {ciphertext(b'other!')}")
    assert "shares its iv" in whys(text, tmp_path)


def test_a_plain_file_among_encrypted_ones(tmp_path: Path) -> None:
    """In a folder of encrypted files every file must be one."""
    (tmp_path / "notes.txt").write_text("nothing here\n")
    (only,) = Sops(SopsAccess(trees=(tmp_path,)), ()).files
    assert "is not encrypted" in str(encryption_faults(only, OLDEST)[0])


def test_nothing_sensitive_is_no_population(tmp_path: Path) -> None:
    """A folder without secrets gives an empty list, which the test turns into an ERROR."""
    (tmp_path / "service.yaml").write_text("kind: Service\n")
    assert Sops(SopsAccess(), [tmp_path]).files == []


def test_without_an_identity_the_code_is_not_judged(tmp_path: Path) -> None:
    """The part that needs a key is an ERROR, not a pass."""
    one = file(sealed(), tmp_path)
    with pytest.raises(ProbeError, match="without an identity"):
        Sops(SopsAccess(trees=(tmp_path,)), ()).opening_fault(one)
    with pytest.raises(AssumptionError):
        Sops(SopsAccess(trees=(tmp_path,)), ()).need_recipients()


def test_a_file_follows_its_rule(tmp_path: Path) -> None:
    """First match counts; recipients of rule, file and declaration are the same."""
    (tmp_path / ".sops.yaml").write_text(RULES)
    book = read_rulebook(tmp_path / ".sops.yaml", "tree/.sops.yaml", in_force=True)
    mine, theirs = file(sealed(), tmp_path), file(sealed(recipient=OTHER), tmp_path, "two.sops.yaml")
    access, declared = SopsAccess(recipients=(ME,)), frozenset([ME])
    assert not list(rulebook_faults(book, access, [mine, theirs]))
    assert not list(recipient_faults(mine, book, declared))
    assert len(list(recipient_faults(theirs, book, declared))) == 3
    assert "no rule" in str(next(recipient_faults(file(sealed(), tmp_path, "x.yaml"), book, declared)))


@pytest.mark.parametrize(
    "text", ["", "creation_rules: []\n", "creation_rules: {a: {b: c}}\n", "a: 1\n---\nb: 2\n"]
)
def test_rules_that_are_none(text: str, tmp_path: Path) -> None:
    """A rule file without rules is an ERROR."""
    (tmp_path / ".sops.yaml").write_text(text)
    with pytest.raises(ProbeError):
        read_rulebook(tmp_path / ".sops.yaml", ".sops.yaml", in_force=True)


def test_a_malformed_pattern(tmp_path: Path) -> None:
    """A pattern that is no regular expression is an ERROR."""
    (tmp_path / ".sops.yaml").write_text("creation_rules:\n  - path_regex: '('\n")
    with pytest.raises(ProbeError, match="regular expression"):
        read_rulebook(tmp_path / ".sops.yaml", ".sops.yaml", in_force=True)


def test_options_choose_as_sops_does() -> None:
    """Suffixes and patterns look at every name of the path."""
    assert chosen(("a", "b"), {})
    assert not chosen(("a_plain", "b"), {"unencrypted_suffix": "_plain"})
    assert chosen(("data", 0, "x"), {"encrypted_regex": "^data$"})
    assert not chosen(("metadata", "x"), {"encrypted_regex": "^data$"})


@given(st.one_of(st.text(), st.from_regex(ENC, fullmatch=True), st.from_regex(r"ENC\[.{0,80}\]")))
def test_any_text_gets_an_answer(text: str) -> None:
    """Whatever is read, the answer is a reason without the text, or none."""
    why = cipher_fault(text)
    assert len(text) < 12 or text not in why


@given(st.integers(0, 2000), st.integers(0, 2000), st.text("ENC[]:,{}\n -&*!sop", max_size=12))
def test_any_cut_gets_a_verdict(start: int, end: int, middle: str) -> None:
    """A file cut and filled anywhere is judged or refused, never a traceback."""
    whole = sealed()
    text = whole[: min(start, end)] + middle + whole[max(start, end) :]
    with contextlib.suppress(AssayError):
        one = SecretFile("f", Path("f"), Path(), tuple(documents(text, "f")), text)
        encryption_faults(one, OLDEST)


@given(st.text("creation_rules:path_regex age[]{}-\n ,'\"", max_size=200))
def test_any_rules_get_a_verdict(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Rules are read or refused, never a traceback."""
    path = tmp_path_factory.mktemp("rules") / ".sops.yaml"
    path.write_text("creation_rules:\n" + text)
    with contextlib.suppress(AssayError):
        list(rulebook_faults(read_rulebook(path, "r", in_force=True), SopsAccess(recipients=(ME,)), []))
