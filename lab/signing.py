"""Signatures of the lab's images: a release key, a foreign key, five samples for a signature gate.

Made with cosign in its older format (`.sig` tags), the only one policy-controller reads for keys.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterable
from pathlib import Path

from lab import images
from lab.layout import REGISTRY
from lab.oci import Image, Layout, Registry


OFFLINE = (
    "--new-bundle-format=false",
    "--use-signing-config=false",
    "--tlog-upload=false",
    "--allow-http-registry",
    "--allow-insecure-registry",
    "--yes",
)
KEYS = ("release", "foreign")
SIGN_S = 180


class SigningError(RuntimeError):
    """cosign failed; the message is the end of its output."""


def signature_tag(ref: str) -> tuple[str, str]:
    """Return repository and tag under which cosign keeps the signatures of `host/repository@sha256:<hex>`."""
    name, digest = ref.split("@")
    return name.split("/", 1)[1], digest.replace(":", "-") + ".sig"


class Signer:
    """cosign with the lab's keys, kept in `folder` (readable by root only).

    The folder is kept beside the registry's blobs: labs share both.
    """

    def __init__(self, cosign: Path, folder: Path, registry: Registry) -> None:
        """Use the keys in `folder`, created on first use."""
        self.cosign, self.folder, self.registry = cosign, folder, registry
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret = folder / "password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(secrets.token_urlsafe(24))
        self.env = {**os.environ, "COSIGN_PASSWORD": secret.read_text(), "HOME": str(folder), "NO_PROXY": "*"}
        for name in KEYS:
            if not (folder / f"{name}.pub").exists():
                self._run("generate-key-pair", "--output-key-prefix", name)

    def _run(self, *words: str) -> None:
        done = subprocess.run(
            [str(self.cosign), *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=SIGN_S,
            check=False,
        )
        if done.returncode:
            raise SigningError(f"cosign {words[0]}: {done.stderr.strip()[-400:]}")

    def public(self, name: str = "release") -> str:
        """Return a public key, PEM."""
        return (self.folder / f"{name}.pub").read_text()

    def sign(self, refs: Iterable[str], key: str = "release") -> None:
        """Sign images by digest with one key; signatures by keys that no longer exist are deleted first.

        Raises:
            SigningError: cosign failed.
        """
        done = self.folder / f"{key}.signed"
        known = set(done.read_text().split()) if done.exists() else set()
        places = {ref: ":".join(signature_tag(ref)) for ref in refs}
        wanted = [
            ref
            for ref, place in places.items()
            if place not in known or not self.registry.digest(*signature_tag(ref))
        ]
        if not wanted:
            return
        for ref in wanted:
            self.registry.forget(*signature_tag(ref))
        self._run("sign", "--key", f"{key}.key", *OFFLINE, *wanted)
        done.write_text("\n".join(sorted({*known, *(places[ref] for ref in wanted)})))


def _push(layout: Layout, registry: Registry, image: Image) -> str:
    return registry.push(layout, image, layout.build(image))


def samples(binaries: Path, layout: Layout, signer: Signer) -> dict[str, str]:
    """Build, push and sign the samples.

    Returns:
        By digest: `signed`, `unsigned`, `otherkey` (signed by a foreign key), `otherdigest` (its `.sig`
        holds another image's signature). By tag: `tagmoved`, moved from a signed image to an unsigned one.
    """
    registry = signer.registry
    names = ("signed", "unsigned", "otherkey", "otherdigest")
    refs = {n: _push(layout, registry, images.sample(binaries, n)) for n in names}
    before = _push(layout, registry, images.sample(binaries, "tagmoved", "stable", "tagmoved, signed"))
    signer.sign([refs["signed"], before])
    signer.sign([refs["otherkey"]], "foreign")
    for name in ("unsigned", "otherdigest"):
        registry.forget(*signature_tag(refs[name]))
    registry.copy(*signature_tag(refs["signed"]), *signature_tag(refs["otherdigest"]))
    after = images.sample(binaries, "tagmoved", "stable", "tagmoved, unsigned")
    registry.forget(*signature_tag(_push(layout, registry, after)))
    return {**refs, "tagmoved": f"{REGISTRY}/samples/tagmoved:stable"}
