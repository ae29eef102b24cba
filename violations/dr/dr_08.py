"""DR-08: backups kept or locked too briefly, removed too early, too late or never, an oldest one broken."""

from collections.abc import Callable, Iterator, Sequence

from assay.backups.places import bucket_of
from assay.backups.postgres_archive import LAYOUTS, Base
from assay.drills.engine.session_cache import clear
from assay.errors import GuardError
from assay.model import Named
from assay.probes.s3.facts import ObjectVersion
from assay.proof.plant import Plant
from assay.proof.violation import violation
from assay.writers.restore_points import RestorePointWriter


RETENTION = "repo1-retention-full="


@violation(tier="static")
def one_backup(plant: Plant) -> Iterator[Named]:
    """PostgreSQL's base backups are kept for a day."""
    with plant.substituted("gitops", rf"^{RETENTION}\d+$", f"{RETENTION}1", "*.conf") as path:
        yield plant.located(path, RETENTION)


@violation(tier="static")
def not_set(plant: Plant) -> Iterator[Named]:
    """The retention of PostgreSQL's base backups is not set."""
    with plant.substituted("gitops", rf"^{RETENTION}\d+\n", "", "*.conf") as path:
        yield Named(f"{plant.located(path)}:0")


def _declared(name: str, what: str, old: str, new: str) -> None:
    """Register a violation that edits the Terraform sources by a pattern; etcd's bucket is named."""

    @violation(name=name, what=what, tier="static")
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.substituted("infra", old, new, "*.tf"):
            yield Named(f"Bucket {bucket_of(plant.profile, plant.profile.platform.etcd)}")


def _ruled(name: str, what: str, kind: str, *rules: tuple[int | None, int | None]) -> None:
    """Register a violation that gives the bucket of a service, by its backups, other rules than its own."""

    @violation(name=name, what=what, tier="live")
    def planted(plant: Plant) -> Iterator[Named]:
        bucket = bucket_of(plant.profile, plant.targets.backed_up(kind))
        with plant.s3.expiring(bucket, *rules):
            yield Named(f"Bucket {bucket}")


def _part(shown: Sequence[ObjectVersion], base: Base) -> ObjectVersion | None:
    """Return the largest file of a base backup that is not a manifest."""
    parts = [v for v in shown if f"/{base.label}/" in v.key and "/backup.manifest" not in v.key]
    return max(parts, key=lambda one: one.size, default=None)


def _segment(shown: Sequence[ObjectVersion], base: Base) -> ObjectVersion | None:
    """Return the segment of the log that a base backup ends in: the last one before its manifest."""
    found = LAYOUTS["pgbackrest"].segment
    logs = [v for v in shown if found.search(v.key) and base.whole and v.modified <= base.whole]
    return max(logs, key=lambda one: one.key.rpartition("/")[2], default=None)


def _hidden(
    name: str, what: str, choose: Callable[[Sequence[ObjectVersion], Base], ObjectVersion | None]
) -> None:
    """Register a violation that hides an object which the oldest base backup cannot come back without."""

    @violation(name=name, what=what, tier="drill")
    def planted(plant: Plant) -> Iterator[Named]:
        bucket = bucket_of(plant.profile, plant.targets.backed_up("pgbackrest"))
        shown, found = plant.s3.shown(bucket), plant.s3.archive(bucket).bases
        chosen = choose(shown, found[0]) if found else None
        if chosen is None:
            raise GuardError("there is no base backup to plant in", "take one first")
        clear()
        try:
            with plant.s3.hidden(chosen):
                yield Named(found[0].ref)
        finally:
            clear()


@violation(tier="live")
def oldest_is_none(plant: Plant) -> Iterator[Named]:
    """The oldest snapshot of etcd is only half uploaded."""
    writer = RestorePointWriter.from_profile(plant.profile)
    content = writer.newest()
    with writer.uploaded(content[: len(content) // 2], "oldest", oldest=True) as ref:
        yield Named(ref)


_declared(
    "removed_after_a_week", "Superseded versions are removed after a week.", "removed = 30", "removed = 7"
)
_declared(
    "removed_after_a_quarter",
    "Superseded versions are kept for a quarter of a year.",
    "removed = 30",
    "removed = 90",
)
_declared(
    "never_ended", "No rule expires a snapshot, so it is listed for ever.", 'ended = "30d"', "ended = null"
)
_declared(
    "locked_for_a_fortnight", "The lock ends earlier than the document says.", "locked = 30", "locked = 14"
)
_ruled("removed_early", "A rule removes superseded versions after a day.", "vault-snapshot", (30, 1))
_ruled(
    "removed_late",
    "A rule keeps superseded versions for a quarter of a year.",
    "vault-snapshot",
    (30, 90),
)
_ruled("no_rule", "A bucket without a lifecycle rule: nothing is ever removed.", "vault-snapshot")
_ruled(
    "ends_what_is_current",
    "A lifecycle rule expires base backups even if later ones need them.",
    "pgbackrest",
    (30, 35),
)
_hidden("part_missing", "One file of the oldest base backup is missing.", _part)
_hidden("log_missing", "The log segment that the oldest base backup ends in is missing.", _segment)
