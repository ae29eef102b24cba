"""What the selected controls need on one platform: declared rights with the profile's own names in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from assay.catalogue import Catalogue
from assay.config.profile import Profile
from assay.effect import Effect
from assay.model import Tier
from assay.right import DeclaredRight


ITSELF = "every run"
REVIEWS = (
    "authentication.k8s.io/selfsubjectreviews",
    "authorization.k8s.io/selfsubjectaccessreviews",
)
# What a run asks before any control, and `assay doctor` before any run.
OF_A_RUN = (
    DeclaredRight("kubernetes", ("get",), ("/version",)),
    DeclaredRight(
        "kubernetes", ("get",), ("namespaces",), ("kube-system",), why="its UID says which cluster this is"
    ),
    DeclaredRight("kubernetes", ("create",), REVIEWS, why="reviews of oneself; nothing is stored"),
    DeclaredRight(
        "kubernetes",
        ("list",),
        ("discovery.k8s.io/endpointslices",),
        place="default",
        only="API servers that the profile does not name",
    ),
    DeclaredRight(
        "vault", ("update",), ("sys/capabilities-self",), why="assay doctor asks what its token may do"
    ),
)


@dataclass(frozen=True, slots=True)
class NeededRight:
    """A right and what needs it.

    Attributes:
        control: id of the control, or ITSELF.
        tier: of the case; None: of the run itself.
        right: the right, with the names that the profile gives.
    """

    control: str
    tier: Tier | None
    right: DeclaredRight

    @property
    def asker(self) -> str:
        """Return `SEC-27 live`, or ITSELF."""
        return f"{self.control} {self.tier}" if self.tier else self.control


def needed_rights(
    catalogue: Catalogue,
    profile: Profile,
    pairs: Collection[tuple[str, Tier]],
    allowed: Collection[Effect],
) -> list[NeededRight]:
    """Return the rights of a run and of its cases, in the catalogue's order; what is only tried is left out.

    Args:
        catalogue: the policies.
        profile: of the stack.
        pairs: (control, tier) of the cases that are judged.
        allowed: the effects that the run may have; rights for bigger ones are left out.
    """
    own = {one.system for one in _granted(catalogue, pairs, allowed)}
    found = [NeededRight(ITSELF, None, one) for one in OF_A_RUN if one.system in own]
    found += [
        NeededRight(control.id, tier, expanded(right, profile))
        for control in catalogue.controls.values()
        for tier, rights in control.rights.items()
        for right in rights
        if (control.id, tier) in pairs and right.effect in allowed and not right.tried
    ]
    return found


def expanded(right: DeclaredRight, profile: Profile) -> DeclaredRight:
    """Return a right with the profile's names in place of `{mount}`, `{auth}` and `{database}`."""
    names = {
        "{mount}": profile.vault.mount,
        "{auth}": profile.platform.vault.auth_mount,
        "{database}": profile.sql.dbname,
    }
    return replace(right, on=tuple(_named(one, names.items()) for one in right.on))


def _named(text: str, names: Iterable[tuple[str, str]]) -> str:
    for word, name in names:
        text = text.replace(word, name)
    return text


def _granted(
    catalogue: Catalogue, pairs: Collection[tuple[str, Tier]], allowed: Collection[Effect]
) -> Iterator[DeclaredRight]:
    for name, tier in pairs:
        rights = catalogue.controls[name].rights.get(tier, ())
        yield from (one for one in rights if one.effect in allowed and not one.tried)
