"""SEC-21: encrypted files that were edited, forged or cut, and Secrets that were never encrypted."""

import base64
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from assay.errors import GuardError
from assay.model import Named
from assay.probes.sops.file import ENC
from assay.proof.plant import Plant
from assay.proof.sops_sample import PASSWORD, encrypted_sample, values
from assay.proof.violation import violation


FILE = "apps/planted.sops.yaml"
MANIFEST = (
    "apiVersion: v1\nkind: Secret\nmetadata: {{name: planted, namespace: planted}}\n{0}:\n  password: {1}\n"
)
GENERATOR = """apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
secretGenerator:
  - name: planted
    literals:
      - password={0}
"""


@contextmanager
def edited(plant: Plant, pattern: str, new: str, line: bool = True) -> Iterator[Named]:
    """A copy of an encrypted file in which the first match of `pattern` became `new`."""
    text = encrypted_sample(plant)
    changed, count = re.subn(pattern, lambda _: new, text, count=1, flags=re.MULTILINE)
    if not count:
        raise GuardError(f"nothing in the encrypted file matches {pattern}", "fix the violation")
    with plant.added("gitops", FILE, changed) as path:
        yield plant.located(path, values(text)[0] if line else "")


def forged(data: bytes, iv: int = 32, tag: int = 16) -> str:
    """Return a text in the shape of SOPS' ciphertext around `data`."""
    parts = [
        base64.b64encode(raw).decode() for raw in (data, secrets.token_bytes(iv), secrets.token_bytes(tag))
    ]
    return "ENC[AES256_GCM,data:{},iv:{},tag:{},type:str]".format(*parts)


@violation()
def edited_in_clear(plant: Plant) -> Iterator[Named]:
    """A value that was replaced by clear text after encryption."""
    with edited(plant, ENC.pattern, "aHVudGVyMi1odW50ZXIy") as ref:
        yield ref


@violation()
def short_fake(plant: Plant) -> Iterator[Named]:
    """A value that says ENC[...] and holds three letters."""
    with edited(plant, ENC.pattern, "ENC[AES256_GCM,data:aHVudGVy,iv:YWJj,tag:ZGVm,type:str]") as ref:
        yield ref


@violation()
def readable_fake(plant: Plant) -> Iterator[Named]:
    """A value with the shape of ciphertext that holds readable text."""
    with edited(plant, ENC.pattern, forged(b"correct horse battery staple")) as ref:
        yield ref


@violation()
def random_fake(plant: Plant) -> Iterator[Named]:
    """A value with the shape of ciphertext that was never encrypted: only decrypting shows it."""
    with edited(plant, ENC.pattern, forged(secrets.token_bytes(24)), line=False) as ref:
        yield ref


@violation()
def code_does_not_match(plant: Plant) -> Iterator[Named]:
    """A Secret moved to another namespace after encryption: its authentication code no longer matches."""
    with edited(plant, r"^ +namespace: .*$", "    namespace: default", line=False) as ref:
        yield ref


@violation()
def code_removed(plant: Plant) -> Iterator[Named]:
    """The message authentication code is gone."""
    with edited(plant, r"^ +mac: .*\n", "", line=False) as ref:
        yield ref


@violation()
def metadata_removed(plant: Plant) -> Iterator[Named]:
    """A file without its SOPS metadata: ciphertext that cannot be decrypted."""
    text = encrypted_sample(plant).partition("\nsops:")[0] + "\n"
    with plant.added("gitops", FILE, text) as path:
        yield plant.located(path, values(text)[0])


@violation()
def unencrypted_suffix(plant: Plant) -> Iterator[Named]:
    """A key whose suffix leaves its value in clear."""
    text = encrypted_sample(plant)
    lines = text.splitlines(keepends=True)
    number = values(text)[0]
    indent = re.match(r" *", lines[number - 1])
    lines.insert(number - 1, f"{indent.group() if indent else ''}password_unencrypted: {PASSWORD}\n")
    with plant.added("gitops", FILE, "".join(lines) + "    unencrypted_suffix: _unencrypted\n") as path:
        yield plant.located(path, number)


@violation()
def written_by_an_old_sops(plant: Plant) -> Iterator[Named]:
    """A file written by a version of SOPS older than allowed."""
    with edited(plant, r"^ +version: .*$", "    version: 3.6.1", line=False) as ref:
        yield ref


@violation()
def secret_in_a_comment(plant: Plant) -> Iterator[Named]:
    """A password left in a comment."""
    text = f"# password: {PASSWORD}\n" + encrypted_sample(plant)
    with plant.added("gitops", FILE, text) as path:
        yield plant.located(path, 1)


@violation()
def plain_secret(plant: Plant) -> Iterator[Named]:
    """A Secret that was never encrypted, its value in base64."""
    with plant.added("gitops", "apps/planted.yaml", MANIFEST.format("data", "a1g5LXZScTItTHc3cA==")) as path:
        yield plant.located(path, 5)


@violation()
def generated_secret(plant: Plant) -> Iterator[Named]:
    """A Secret that kustomize generates from a literal."""
    with plant.added("gitops", "apps/planted/kustomization.yaml", GENERATOR.format(PASSWORD)) as path:
        yield plant.located(path, 6)
