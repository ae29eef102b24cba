"""DR-08: kept for a day, removed after a week, locked for a fortnight, an oldest snapshot that is none."""

from collections.abc import Iterator

from assay.plant import Named, Plant
from assay.probes.point_write import PointWriter
from assay.violation import Violation, as_violation


CONF = "platform/postgres/pgbackrest.conf"
RULES = "backups.tf"


def _edited(name: str, what: str, tree: str, file: str, old: str, new: str, named: str) -> Violation:
    """Return a violation that edits one file of a copy."""

    @as_violation(name=name, what=what, tier="static")
    def violation(plant: Plant) -> Iterator[Named]:
        with plant.edited(tree, file, old, new) as path:
            rows = path.read_text(encoding="utf-8").splitlines()
            line = next((n for n, row in enumerate(rows, 1) if row == new), 0)
            yield Named(named or f"File {tree}/{file}:{line}")

    return violation


@as_violation(tier="live")
def removed_early(plant: Plant) -> Iterator[Named]:
    """A rule of the bucket removes superseded versions after a day."""
    bucket = plant.profile.s3.buckets["vault"]
    with plant.s3.expiring(bucket, 1):
        yield Named(f"Bucket {bucket}")


@as_violation(tier="live")
def oldest_is_none(plant: Plant) -> Iterator[Named]:
    """The oldest snapshot of etcd broke off half way."""
    writer = PointWriter.from_profile(plant.profile)
    content = writer.newest()
    with writer.uploaded(content[: len(content) // 2], "oldest", oldest=True) as named:
        yield Named(named)


PLANTED = [
    _edited(
        "one_backup", "PostgreSQL's base backups are kept for a day.", "gitops", CONF,
        "repo1-retention-full=30", "repo1-retention-full=1", "",
    ),
    _edited(
        "not_set", "Nobody says how long they are kept.", "gitops", CONF,
        "repo1-retention-full=30\n", "", f"File gitops/{CONF}:0",
    ),
    _edited(
        "removed_after_a_week", "A superseded version goes after a week.", "infra", RULES,
        "kept = 30", "kept = 7", "Bucket etcd-backups",
    ),
    _edited(
        "locked_for_a_fortnight", "The lock ends before the document says.", "infra", RULES,
        "locked = 30", "locked = 14", "Bucket etcd-backups",
    ),
    removed_early,
    oldest_is_none,
]  # fmt: skip
