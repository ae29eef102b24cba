"""DR-01: an older backup with all pods ready, a wrong passphrase, a wrong command, a wrong namespace."""

import datetime as dt
import re
from collections.abc import Iterator

from assay.drills.engine.session_cache import clear
from assay.drills.restore.place import place_of
from assay.model import Named
from assay.probes.runbook.reader import Runbook
from assay.proof.plant import Plant
from assay.proof.runbook_edits import runbook_line, runbook_with
from assay.proof.violation import violation


POINT = "--from-literal=POINT=<POINT>"
WRONG = "kubectl restore postgres"


@violation()
def older_backup(plant: Plant) -> Iterator[Named]:
    """PostgreSQL is restored to a moment before the ledger: all pods are ready, but the data is too old."""
    moment = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}+00"
    with runbook_with(plant, lambda text: text.replace(POINT, f"'--from-literal=POINT={moment}'")):
        yield Named(f"Restore {plant.targets.backed_up('pgbackrest').name}")


@violation()
def other_passphrase(plant: Plant) -> Iterator[Named]:
    """The escrow holds a passphrase that does not open the backup."""
    service = plant.targets.backed_up("pgbackrest")
    file = plant.profile.need_path("escrow.folder") / service.key
    clear()
    try:
        with plant.talos_api.replaced(file, "a passphrase of another repository"):
            yield Named(f"Restore {service.name}")
    finally:
        clear()


@violation()
def no_such_command(plant: Plant) -> Iterator[Named]:
    """The runbook uses a command that kubectl does not have."""
    section = re.escape(plant.targets.backed_up("pgbackrest").section)
    applied = re.compile(rf"(## {section}(?:.|\n)*?)kubectl apply -k \S+")
    yield from runbook_line(plant, WRONG, lambda text: applied.sub(rf"\1{WRONG}", text, count=1))


@violation()
def into_any_namespace(plant: Plant) -> Iterator[Named]:
    """The runbook restores into a namespace that is not labelled as a place for restores."""
    title = plant.targets.backed_up("pgbackrest").section
    runbook = Runbook(plant.profile.need_path("paths.runbook"), more=None)
    place = place_of(runbook.section(title), title)
    with runbook_with(plant, lambda text: text.replace(place.namespace, "default")) as path:
        yield plant.located(path, place.made.line)
