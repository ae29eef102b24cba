"""DR-01: an older backup with all pods Ready, another passphrase, and a line that no kubectl has."""

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from assay.drills.postgres_evidence import NAMED
from assay.plant import Named, Plant


POINT = "--from-literal=POINT=<POINT>"
CHECK = "kubectl apply -k <GIT>/gitops/overlays/<STACK>/restore-postgres"


@contextmanager
def older_backup(plant: Plant) -> Iterator[Named]:
    """Restore to a moment before the ledger: everything runs and is ready, and holds what was there then."""
    moment = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}+00"
    with plant.copied("runbook") as folder:
        (path,) = folder.glob("*.md")
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(POINT, f"'--from-literal=POINT={moment}'"), encoding="utf-8")
        yield Named(NAMED)


@contextmanager
def other_passphrase(plant: Plant) -> Iterator[Named]:
    """The escrow kit holds a passphrase that opens nothing."""
    file = plant.profile.need_path("escrow.folder") / "pgbackrest-passphrase"
    with plant.talos_api.replaced(file, "a passphrase of another repository"):
        yield Named(NAMED)


def _instead(name: str, what: str, line: str) -> Callable[[Plant], AbstractContextManager[Named]]:
    """Return a violation that has `line` where the runbook starts the restore. Nothing is restored for it."""

    @contextmanager
    def violation(plant: Plant) -> Iterator[Named]:
        with plant.copied("runbook") as folder:
            (path,) = folder.glob("*.md")
            text = path.read_text(encoding="utf-8").replace(CHECK, line)
            path.write_text(text, encoding="utf-8")
            row = next(n for n, row in enumerate(text.splitlines(), 1) if row.strip() == line)
            yield Named(f"File {path.name}:{row}")

    violation.__name__ = name
    violation.__doc__ = what
    return violation


PLANTED = [
    _instead("no_such_command", "A command that no kubectl has.", "kubectl restore postgres"),
    older_backup,
    other_passphrase,
]
