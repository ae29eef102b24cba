"""The Terraform sources of a platform: one root module or several, read as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext

from assay.config.trees import SourceTree
from assay.formats.hcl import Hcl
from assay.formats.resource import Resource
from assay.gaps import Gaps


class TerraformSources:
    """The root modules of several folders; what of them cannot be read is noted in `gaps`."""

    def __init__(self, trees: Sequence[SourceTree]) -> None:
        """Read nothing yet; of several modules the files go by their folders' names too."""
        self.gaps, self.trees = Gaps(), tuple(trees)
        several = len(trees) > 1
        self.roots = {tree.path: Hcl(tree.path, self.gaps, tree.label if several else "") for tree in trees}

    @property
    def modules(self) -> tuple[str, ...]:
        """Return the module calls of all roots, `module.name`; what they make is known to a plan only."""
        return tuple(one for root in self.roots.values() for one in root.modules)

    def resources(self, kind: str = "") -> list[Resource]:
        """Return every instance of the managed resources of one type, or of all types, of all roots.

        Raises:
            ProbeError: a folder holds no Terraform, or two resources of one root share an address.
        """
        return self._of_each(lambda root: root.resources(kind))

    def settings(self) -> list[Resource]:
        """Return the nested blocks of the `terraform` blocks of all roots; errors as for `resources`."""
        return self._of_each(lambda root: root.settings())

    def _of_each(self, read: Callable[[Hcl], Iterable[Resource]]) -> list[Resource]:
        """Return what is read of every root; of several, one that cannot be read costs itself alone."""
        found = list[Resource]()
        for path, root in self.roots.items():
            with self.gaps.part(f"Folder {path.name}") if len(self.roots) > 1 else nullcontext():
                found += read(root)
        return found
