"""The five images that try a signature gate, made with cosign alone: it pushes, signs, and knows the logins.

No secret passes through here: the key is a reference that cosign reads itself, its password is in the
environment, and the registry's login is where Docker keeps it.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import secrets
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from assay.errors import GuardError, ProbeError
from assay.formats.tools import run_tool
from assay.secretscan.suspect import repeated


NAMES = ("signed", "unsigned", "otherkey", "otherdigest", "tagmoved")
TAG = "assay"
LAYER = "application/vnd.oci.image.layer.v1.tar"
TIMEOUT_S = 180.0
MAX_WORDS = 300
OLD_FORMAT = ("--new-bundle-format=false", "--use-signing-config=false")
PLAIN = ("--allow-http-registry", "--allow-insecure-registry")
# What a keyless signature has besides: key of the downloaded signature -> flag that attaches it.
KEYLESS = {"Cert": "certificate", "Chain": "certificate-chain", "Bundle": "rekor-response"}
DIGEST = re.compile(r"\S+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SampleMaker:
    """Makes the samples below one place in a registry.

    Attributes:
        cosign: the program.
        prefix: `host[:port]/path` that the five repositories are made below.
        key: as cosign takes it: a file, `env://NAME`, a key management service; empty: keyless.
        transparent: signatures go to the transparency log; without a key they always do.
        bundles: signatures are bundles, else in the older format that policy-controller reads for keys.
        plain_http: the registry speaks plain HTTP.
    """

    cosign: Path
    prefix: str
    key: str = ""
    transparent: bool = False
    bundles: bool = False
    plain_http: bool = False

    def make(self) -> dict[str, str]:
        """Push and sign the five, and return their references: by digest, `tagmoved` by tag.

        Raises:
            ProbeError: cosign does not run, or cannot push or sign; its last line says why.
        """
        with TemporaryDirectory(prefix="assay-samples-") as folder:
            place = Path(folder)
            refs = {name: self._push(place, name, name) for name in NAMES[:-1]}
            before = self._push(place, "tagmoved", "signed, then moved")
            self._sign([refs["signed"], before], self.key)
            self._sign([refs["otherkey"]], str(self._foreign(place)), **self._password(place))
            self._lend(place, refs["signed"], refs["otherdigest"])
            self._push(place, "tagmoved", "moved to")
        return {**refs, "tagmoved": f"{self.prefix}/tagmoved:{TAG}"}

    def _run(self, *words: str, **env: str) -> str:
        plain = PLAIN if self.plain_http and words[0] != "generate-key-pair" else ()
        done = run_tool([self.cosign, *words, *plain], TIMEOUT_S, f"cosign {words[0]}",
                        remedy="check cosign under [tools]", env={**os.environ, **env})  # fmt: skip
        if done.code:
            raise ProbeError(
                f"cosign {' '.join(words[:2])}: exit {done.code}: {repeated(done.last_line, MAX_WORDS)}",
                "check the registry's login, the key and its password (COSIGN_PASSWORD)",
            )
        return done.text

    def _push(self, folder: Path, name: str, content: str) -> str:
        layer = folder / f"{name}.tar"
        layer.write_bytes(_layer(content))
        said = self._run("upload", "blob", "--ct", LAYER, "-f", str(layer), f"{self.prefix}/{name}:{TAG}")
        found = DIGEST.findall(said)
        if not found:
            raise ProbeError("cosign upload blob names no digest", "use the version of cosign that is pinned")
        return str(found[-1])

    def _sign(self, refs: Iterable[str], key: str, **env: str) -> None:
        by = ("--key", key) if key else ()
        old = () if self.bundles else OLD_FORMAT
        log = () if self.transparent or not key else ("--tlog-upload=false",)
        self._run("sign", "--yes", *by, *old, *log, *refs, **env)

    def _foreign(self, folder: Path) -> Path:
        """Return a key that nobody trusts; it is gone with the folder."""
        words = ("generate-key-pair", "--output-key-prefix", str(folder / "foreign"))
        self._run(*words, **self._password(folder))
        return folder / "foreign.key"

    def _password(self, folder: Path) -> dict[str, str]:
        """Return the password of the foreign key, made once."""
        file = folder / "password"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text(secrets.token_urlsafe(24), encoding="ascii")
        return {"COSIGN_PASSWORD": file.read_text(encoding="ascii")}

    def _lend(self, folder: Path, source: str, target: str) -> None:
        """Attach the signature of one image to another, whose digest it does not name.

        A bundle cannot be: the other image then bears none.
        """
        if self.bundles:
            return
        lines = self._run("download", "signature", source).strip().splitlines()
        words = []
        for flag, content in _parts(json.loads(lines[-1])).items():
            (folder / flag).write_bytes(content)
            words += [f"--{flag}", str(folder / flag)]
        self._run("attach", "signature", *words, target)


def _parts(signature: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a signature as cosign downloads it, by the flags that attach its parts."""
    found = {
        "payload": base64.b64decode(signature["Payload"]),
        "signature": str(signature["Base64Signature"]).encode(),
    }
    for key, flag in KEYLESS.items():
        if value := signature.get(key):
            found[flag] = (value if isinstance(value, str) else json.dumps(value)).encode()
    return found


def _layer(content: str) -> bytes:
    """Return a layer with one file: without times and owners, so that it is the same each time."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        entry = tarfile.TarInfo("assay-sample")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content.encode()))
    return stream.getvalue()


def check_globs(prefix: str, globs: Iterable[str]) -> None:
    """Check that the samples lie where an image policy looks.

    Args:
        prefix: as in SampleMaker.
        globs: of the policies: `*` stands for anything but a slash, `**` for anything.

    Raises:
        GuardError: none of the globs covers a sample.
    """
    known = list(globs)
    for name in NAMES if known else ():
        if not any(_covers(glob, f"{prefix}/{name}") for glob in known):
            raise GuardError(
                f"{prefix}/{name} is covered by none of {', '.join(known)}",
                "choose a prefix that the gate's policy covers, else it refuses the signed image too",
            )


def _covers(glob: str, image: str) -> bool:
    parts = (".*" if part == "**" else "[^/]*" if part == "*" else re.escape(part)
             for part in re.split(r"(\*\*|\*)", glob))  # fmt: skip
    return re.fullmatch("".join(parts), image) is not None
