"""Container images without an engine: an OCI layout on disk, pushed over HTTP.

Same files, same digests: entries are sorted, times are zero, owners are root, layers are not compressed.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any

import requests


if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
INDEX = "application/vnd.oci.image.index.v1+json"
TIMEOUT_S = 120.0
CHUNK = 1 << 20


class PushError(RuntimeError):
    """The registry refused a blob or a manifest; the message says which, with the status."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One path of a layer: a file on this machine, given bytes, a link, or (none of them) a folder."""

    path: str
    mode: int = 0o755
    source: Path | None = None
    data: bytes | None = None
    link: str = ""

    def key(self) -> list[str]:
        """Return everything that determines the entry's bytes in a layer."""
        content = hashlib.sha256(self.data).hexdigest() if self.data is not None else ""
        return [self.path, oct(self.mode), self.link, file_digest(self.source) if self.source else content]


@dataclass(frozen=True, slots=True)
class Image:
    """What an image is made of. `user` is numeric (`uid:gid`), so that runAsNonRoot can be checked."""

    repository: str
    tag: str
    entries: tuple[Entry, ...]
    entrypoint: tuple[str, ...]
    user: str = ""
    env: tuple[str, ...] = ("PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _parents(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries plus their missing parent folders, sorted by path."""
    known = {entry.path: entry for entry in entries}
    for path in list(known):
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                known.setdefault(str(parent), Entry(str(parent)))
    return [known[path] for path in sorted(known)]


class _Hashing(io.RawIOBase):
    """A stream that hashes what it forwards."""

    def __init__(self, out: IO[bytes]) -> None:
        self.out, self.sha, self.size = out, hashlib.sha256(), 0

    def write(self, data: ReadableBuffer) -> int:
        """Forward `data` and return its length in bytes."""
        view = memoryview(data)
        self.sha.update(view)
        self.size += view.nbytes
        return self.out.write(view)

    def tell(self) -> int:
        """Return the bytes written so far."""
        return self.size


def _add(tar: tarfile.TarFile, entry: Entry) -> None:
    info = tarfile.TarInfo(entry.path)
    info.mode = entry.mode
    if entry.link:
        info.type, info.linkname = tarfile.SYMTYPE, entry.link
        tar.addfile(info)
    elif entry.data is not None:
        info.size = len(entry.data)
        tar.addfile(info, io.BytesIO(entry.data))
    elif entry.source:
        info.size = entry.source.stat().st_size
        with entry.source.open("rb") as stream:
            tar.addfile(info, stream)
    else:
        info.type = tarfile.DIRTYPE
        tar.addfile(info)


class Layout:
    """An OCI image layout folder; layers with the same content are written once."""

    def __init__(self, folder: Path) -> None:
        """Open or create the layout in `folder`."""
        self.folder = folder
        self.blobs = folder / "blobs" / "sha256"
        self.keys = folder / "keys"
        self.blobs.mkdir(parents=True, exist_ok=True)
        self.keys.mkdir(exist_ok=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(self, digest: str) -> Path:
        """Return the file of the blob `sha256:<hex>`."""
        return self.blobs / digest.removeprefix("sha256:")

    def _put(self, document: dict[str, Any]) -> tuple[str, int]:
        raw = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        self.blob(digest).write_bytes(raw)
        return digest, len(raw)

    def _layer(self, entries: Iterable[Entry]) -> tuple[str, int]:
        ordered = _parents(entries)
        key = hashlib.sha256(json.dumps([entry.key() for entry in ordered]).encode()).hexdigest()
        known = self.keys / key
        if known.exists() and self.blob(known.read_text()).exists():
            digest = known.read_text()
            return digest, self.blob(digest).stat().st_size
        draft = self.folder / f"draft-{key}"
        with draft.open("wb") as raw:
            out = _Hashing(raw)
            with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT, bufsize=CHUNK) as tar:
                for entry in ordered:
                    _add(tar, entry)
        digest = "sha256:" + out.sha.hexdigest()
        draft.rename(self.blob(digest))
        known.write_text(digest)
        return digest, out.size

    def build(self, image: Image) -> str:
        """Write `image` and return its manifest digest, `sha256:<hex>`."""
        layer, size = self._layer(image.entries)
        config: dict[str, Any] = {
            "architecture": "amd64",
            "os": "linux",
            "created": "1970-01-01T00:00:00Z",
            "config": {
                "Entrypoint": list(image.entrypoint),
                "Env": list(image.env),
                "User": image.user,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [layer]},
        }
        config_digest, config_size = self._put(config)
        digest, length = self._put(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "digest": config_digest, "size": config_size},
                "layers": [{"mediaType": LAYER, "digest": layer, "size": size}],
            }
        )
        self._index(f"{image.repository}:{image.tag}", digest, length)
        return digest

    def _index(self, name: str, digest: str, size: int) -> None:
        path = self.folder / "index.json"
        empty = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}
        index: dict[str, Any] = json.loads(path.read_text()) if path.exists() else empty
        label = "org.opencontainers.image.ref.name"
        others = [m for m in index["manifests"] if m["annotations"][label] != name]
        mine = {"mediaType": MANIFEST, "digest": digest, "size": size, "annotations": {label: name}}
        index["manifests"] = sorted([*others, mine], key=lambda m: str(m["annotations"][label]))
        path.write_text(json.dumps(index, indent=1))


class Registry:
    """A registry over plain HTTP; `address` is `host:port`."""

    def __init__(self, address: str) -> None:
        """Use the registry at `address`, ignoring the environment's proxies."""
        self.address = address
        self.session = requests.Session()
        self.session.trust_env = False

    def _call(
        self,
        method: str,
        path: str,
        data: bytes | IO[bytes] | None = None,
        params: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        url = path if path.startswith("http") else f"http://{self.address}/v2/{path}"
        return self.session.request(method, url, timeout=TIMEOUT_S, data=data, params=params, headers=headers)

    def _blob(self, repository: str, layout: Layout, digest: str) -> None:
        if self._call("HEAD", f"{repository}/blobs/{digest}").status_code == 200:
            return
        opened = self._call("POST", f"{repository}/blobs/uploads/")
        if opened.status_code != 202:
            raise PushError(f"{repository}: upload refused with {opened.status_code}")
        with layout.blob(digest).open("rb") as stream:
            done = self._call(
                "PUT",
                opened.headers["Location"],
                params={"digest": digest},
                data=stream,
                headers={"Content-Type": "application/octet-stream"},
            )
        if done.status_code != 201:
            raise PushError(f"{repository}: blob {digest} refused with {done.status_code}")

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest of `reference` (a tag or a digest), None if it does not exist."""
        answer = self._call("HEAD", f"{repository}/manifests/{reference}", headers={"Accept": MANIFEST})
        return answer.headers["Docker-Content-Digest"] if answer.status_code == 200 else None

    def tag(self, repository: str, tag: str, manifest: bytes) -> None:
        """Put `manifest` under `tag`, moving an existing tag.

        Raises:
            PushError: the registry refuses.
        """
        answer = self._call(
            "PUT", f"{repository}/manifests/{tag}", data=manifest, headers={"Content-Type": MANIFEST}
        )
        if answer.status_code != 201:
            raise PushError(
                f"{repository}:{tag}: manifest refused with {answer.status_code}: {answer.text[:200]}"
            )

    def forget(self, repository: str, tag: str) -> None:
        """Delete the manifest that `tag` points to, if there is one.

        Raises:
            PushError: the registry refuses.
        """
        if digest := self.digest(repository, tag):
            answer = self._call("DELETE", f"{repository}/manifests/{digest}")
            if answer.status_code not in (202, 404):
                raise PushError(f"{repository}:{tag}: not deleted ({answer.status_code})")

    def copy(self, source: str, reference: str, target: str, tag: str) -> None:
        """Copy the manifest `source:reference` and its blobs to `target:tag`, byte for byte."""
        manifest = self._call("GET", f"{source}/manifests/{reference}", headers={"Accept": MANIFEST})
        if manifest.status_code != 200:
            raise PushError(f"{source}:{reference}: not there ({manifest.status_code})")
        document = manifest.json()
        for blob in [document["config"], *document["layers"]]:
            mounted = self._call(
                "POST", f"{target}/blobs/uploads/", params={"mount": blob["digest"], "from": source}
            )
            if mounted.status_code != 201:
                raise PushError(f"{target}: blob {blob['digest']} not mounted ({mounted.status_code})")
        self.tag(target, tag, manifest.content)

    def push(self, layout: Layout, image: Image, digest: str) -> str:
        """Push what the registry lacks of `image` and return `host:port/repository@sha256:<hex>`."""
        raw = layout.blob(digest).read_bytes()
        if self.digest(image.repository, image.tag) != digest:
            manifest = json.loads(raw)
            for blob in [manifest["config"], *manifest["layers"]]:
                self._blob(image.repository, layout, blob["digest"])
            self.tag(image.repository, image.tag, raw)
        return f"{self.address}/{image.repository}@{digest}"
