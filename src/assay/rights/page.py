"""The page that says which control needs more than plain reading, and why: docs/rights.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from assay.catalogue import Catalogue
from assay.effect import Effect
from assay.right import DeclaredRight


Row = tuple[str, DeclaredRight]
READER = "os:reader"
LOOKING = frozenset({"get", "list"})
SECRET = frozenset({"secrets", "*"})
INTRO = """# Rights
What a judgement needs is declared in its policy, `[[rights.TIER]]`, and held true on the lab: each live
judgement, run alone, must send what its policy declares, and nothing else. `assay rights --stack mine.toml`
writes it as RBAC, Vault policy, Talos roles, bucket policies and GRANTs for the selected controls; each line
names the controls that need it. `assay doctor` asks Kubernetes, Vault and the Talos certificate whether the
credentials of the profile have it. A control that lacks a right is an ERROR that names it; the others are
judged.

What is not in these tables needs no more than os:reader, and get and list of what is not a Secret. Rights
with an effect beyond dry runs are needed only where `[allow]` or `--allow` lets the control have that effect.
No system can grant a dry run alone: `gitops/nightly/bounds.yaml` makes the API server refuse the rest.
Load needs no right. Drills take parts of the platform away with an administrator's credentials, approved by
two people; of theirs only what is read from Vault is declared, since the reader's token reads it.
`s3:ListAllMyBuckets`, for ListBuckets, is granted to the user and not by the policy of a bucket.
"""


def rights_page(catalogue: Catalogue) -> str:
    """Return the page: more than os:reader, more than reading in Kubernetes, and the other systems."""
    rows = [
        (f"{control.id} {tier}", right)
        for control in catalogue.controls.values()
        for tier, rights in control.rights.items()
        for right in rights
        if not right.tried
    ]
    talos = _table(
        "More than os:reader in Talos",
        ("control", "role", "for", "why"),
        (row for row in rows if row[1].system == "talos" and row[1].grant != READER),
        lambda right: (right.grant, _listed(right.on)),
    )
    kubernetes = _table(
        "More than plain reading in Kubernetes",
        ("control", "verbs", "on", "effect", "why"),
        (row for row in rows if row[1].system == "kubernetes" and _more_than_reading(row[1])),
        lambda right: (", ".join(right.verbs), _listed(right.on), _effect(right)),
    )
    others = _table(
        "Vault, etcd, object storage, PostgreSQL",
        ("control", "system", "verbs", "on", "why"),
        (row for row in rows if row[1].system not in ("talos", "kubernetes")),
        lambda right: (right.system, _verbs(right), _listed(right.on)),
    )
    return "\n".join([INTRO, *talos, *kubernetes, *others])


def _more_than_reading(right: DeclaredRight) -> bool:
    return not set(right.verbs) <= LOOKING or bool(SECRET & set(right.on))


def _table(
    title: str, heads: tuple[str, ...], rows: Iterable[Row], cells: Callable[[DeclaredRight], tuple[str, ...]]
) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for asker, right in rows:
        yield f"| {' | '.join((asker, *cells(right), right.why))} |"
    yield ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _verbs(right: DeclaredRight) -> str:
    return ", ".join((*right.verbs, *filter(None, (right.grant,))))


def _effect(right: DeclaredRight) -> str:
    """Return what the right is used for; a read of Secrets is just that."""
    optional = ", optional: a part is untried without it" if right.optional else ""
    return f"{right.effect}{optional}" if right.effect is not Effect.READS or optional else "reads"
