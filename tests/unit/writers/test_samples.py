"""The five samples: what cosign is asked for, in which order, and what is never handed to it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from assay.errors import GuardError, ProbeError
from assay.writers.samples import NAMES, SampleMaker, check_globs


PAYLOAD = base64.b64encode(b'{"critical": {}}').decode()
LEAK = "".join(("Xy7kQ93vLm", "Z0cAn4ryT5"))
COSIGN = """#!/usr/bin/env python3
import hashlib, json, os, pathlib, sys
log = pathlib.Path(__file__).with_name("log")
words = sys.argv[1:]
with log.open("a") as to:
    print(json.dumps([words, os.environ.get("COSIGN_PASSWORD", "")]), file=to)
if words[0] == FAILS:
    sys.exit("error: " + "https://user:" + "LEAK" + "@registry/ said no")
if words[:2] == ["upload", "blob"]:
    ref = [word for word in words if word.startswith("registry")][0]
    name, content = ref.rpartition(":")[0], pathlib.Path(words[words.index("-f") + 1]).read_bytes()
    print(name + "@sha256:" + hashlib.sha256(content).hexdigest())
if words[0] == "generate-key-pair":
    pathlib.Path(words[2] + ".key").write_text("key")
if words[0] == "download":
    print(json.dumps(FOUND))
if words[0] == "attach":
    files = dict(zip(words[2:-1:2], words[3:-1:2]))
    assert pathlib.Path(files["--payload"]).read_bytes() == b'{"critical": {}}'
""".replace("LEAK", LEAK)


@pytest.fixture
def cosign(tmp_path: Path) -> Path:
    return program(tmp_path)


def program(folder: Path, fails: str = "", **signature: object) -> Path:
    found = {"Payload": PAYLOAD, "Base64Signature": "sig", **signature}
    path = folder / "cosign"
    path.write_text(COSIGN.replace("FOUND", repr(found)).replace("FAILS", repr(fails)))
    path.chmod(0o755)
    return path


def asked(cosign: Path) -> list[tuple[list[str], str]]:
    return [tuple(json.loads(line)) for line in cosign.with_name("log").read_text().splitlines()]


def signing(cosign: Path) -> list[list[str]]:
    return [words for words, _ in asked(cosign) if words[0] == "sign"]


def test_five_images_each_signed_as_its_name_says(cosign: Path) -> None:
    refs = SampleMaker(cosign, "registry/assay", "release.key").make()
    assert tuple(refs) == NAMES
    assert refs["tagmoved"] == "registry/assay/tagmoved:assay"
    assert len(set(refs.values())) == len(NAMES)
    release, foreign = signing(cosign)
    assert refs["signed"] in release
    assert refs["otherkey"] in foreign
    assert not {refs["unsigned"], refs["otherdigest"]} & {*release, *foreign}
    (attached,) = [words for words, _ in asked(cosign) if words[0] == "attach"]
    assert attached[-1] == refs["otherdigest"]


def test_the_moved_tag_is_signed_before_it_moves(cosign: Path) -> None:
    SampleMaker(cosign, "registry/assay", "release.key").make()
    steps = [words for words, _ in asked(cosign) if "/tagmoved" in str(words)]
    assert [words[0] for words in steps] == ["upload", "sign", "upload"]
    assert steps[0][-1] == steps[2][-1]


def test_the_foreign_key_has_a_password_of_its_own(cosign: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "of the release key")
    SampleMaker(cosign, "registry/assay", "release.key").make()
    (made,) = [said for words, said in asked(cosign) if words[0] == "generate-key-pair"]
    assert [said for words, said in asked(cosign) if words[0] == "sign"] == ["of the release key", made]
    assert made not in {"of the release key", ""}


OLD, LOG, HTTP = "--new-bundle-format=false", "--tlog-upload=false", "--allow-http-registry"


@pytest.mark.parametrize(
    ("maker", "has", "lacks"),
    [
        (SampleMaker(Path(), "registry/a", "k"), {"--key", LOG, OLD}, {HTTP}),
        (SampleMaker(Path(), "registry/a", "k", transparent=True), {"--key"}, {LOG}),
        (SampleMaker(Path(), "registry/a"), {OLD}, {"--key", LOG}),
        (SampleMaker(Path(), "registry/a", "k", bundles=True), {"--key"}, {OLD}),
        (SampleMaker(Path(), "registry/a", "k", plain_http=True), {HTTP}, set()),
    ],
)
def test_signed_by_key_or_keyless(cosign: Path, maker: SampleMaker, has: set[str], lacks: set[str]) -> None:
    SampleMaker(cosign, maker.prefix, maker.key, maker.transparent, maker.bundles, maker.plain_http).make()
    release = set(signing(cosign)[0])
    assert has <= release
    assert not lacks & release


def test_a_bundle_is_attached_to_no_other_digest(cosign: Path) -> None:
    SampleMaker(cosign, "registry/assay", "k", bundles=True).make()
    assert not [words for words, _ in asked(cosign) if words[0] == "attach"]


def test_a_keyless_signature_is_lent_with_its_certificate(tmp_path: Path) -> None:
    cosign = program(tmp_path, Cert="cert", Bundle={"x": 1}, Chain="")
    SampleMaker(cosign, "registry/assay").make()
    (attached,) = [words for words, _ in asked(cosign) if words[0] == "attach"]
    assert {"--certificate", "--rekor-response"} <= set(attached)
    assert "--certificate-chain" not in attached


@pytest.mark.parametrize("step", ["upload", "sign", "download", "attach", "generate-key-pair"])
def test_a_step_that_fails_is_one_line_without_a_login(tmp_path: Path, step: str) -> None:
    with pytest.raises(ProbeError) as caught:
        SampleMaker(program(tmp_path, step), "registry/assay", "k").make()
    assert LEAK not in str(caught.value)
    assert "said no" in str(caught.value)


@pytest.mark.parametrize(
    ("glob", "covered"),
    [
        ("**", True),
        ("registry.example/**", True),
        ("registry.example/assay/*", True),
        ("registry.example/*", False),
        ("other.example/**", False),
        ("*", False),
        ("registry.example/assay/signed", False),
    ],
)
def test_samples_lie_where_the_policy_looks(glob: str, covered: bool) -> None:
    if covered:
        check_globs("registry.example/assay", ["nothing", glob])
    else:
        with pytest.raises(GuardError, match="covered by none"):
            check_globs("registry.example/assay", [glob])
    check_globs("registry.example/assay", [])
