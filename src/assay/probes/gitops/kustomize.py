"""What kustomize does to images.

Which file belongs to which overlay, and which names an `images` entry replaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

from assay.formats.yaml_text import Document, YamlScalar


FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")
LISTS = ("resources", "components", "bases", "patches", "crds")


class Kustomizations:
    """Every kustomization of a tree, and who uses whom."""

    def __init__(self, files: Mapping[Path, list[Document]]) -> None:
        """Take the parsed kustomization files."""
        self._files = {file: docs[0] for file, docs in files.items() if docs}
        self._folders = {file.parent.resolve(): file for file in self._files}

    def images(self, file: Path) -> Iterator[tuple[int, str]]:
        """Return (line, reference) of the `images` entries of one kustomization."""
        for keys in self._entries(file) if file in self._files else ():
            name = (keys.get("newName") or keys["name"]).text
            if "digest" in keys:
                yield keys["digest"].line, f"{name}@{keys['digest'].text}"
            elif "newTag" in keys:
                yield keys["newTag"].line, f"{name}:{keys['newTag'].text}"

    def pins(self, file: Path, reference: str) -> bool:
        """Return True if every overlay that uses `file` replaces this image by a digest.

        False if none uses it.
        """
        name = reference.partition("@")[0]
        name = name if ":" not in name.rpartition("/")[2] else name.rpartition(":")[0]
        target = file.resolve()
        roots = [root for root in self._roots if target in self._reach[root]]
        return bool(roots) and all(self._pinned_below(root, target, name) for root in roots)

    def _pinned_below(self, root: Path, target: Path, name: str) -> bool:
        chain = [
            one for one in (root, *self._reach[root]) if one in self._folders and target in self._reach[one]
        ]
        return any(
            keys["name"].text == name and "digest" in keys
            for one in chain
            for keys in self._entries(self._folders[one])
        )

    @cached_property
    def _roots(self) -> list[Path]:
        used = {path for folder, reached in self._reach.items() for path in reached if path != folder}
        return [folder for folder in self._folders if folder not in used]

    @cached_property
    def _reach(self) -> dict[Path, set[Path]]:
        """Return kustomization folder -> every file and folder it uses, directly or through others."""
        direct = {
            folder: {self._resolved(folder, leaf) for leaf in self._named(file)}
            for folder, file in self._folders.items()
        }
        reach: dict[Path, set[Path]] = {}
        for folder in direct:
            found, ahead = set[Path](), [folder]
            while ahead:
                new = direct.get(ahead.pop(), set()) - found
                found |= new
                ahead += new
            reach[folder] = found
        return reach

    def _resolved(self, folder: Path, leaf: YamlScalar) -> Path:
        return (folder / leaf.text).resolve()

    def _named(self, file: Path) -> list[YamlScalar]:
        leaves = self._files[file].leaves
        plain = [leaf for leaf in leaves if len(leaf.path) == 2 and leaf.path[0] in LISTS]
        return plain + [leaf for leaf in leaves if leaf.path[:1] == ("patches",) and leaf.path[-1] == "path"]

    def _entries(self, file: Path) -> list[dict[str, YamlScalar]]:
        found = self._files[file].mappings().items()
        return [keys for path, keys in found if path[:1] == ("images",) and len(path) == 2 and "name" in keys]
