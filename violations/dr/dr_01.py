"""DR-01: an older backup with all pods ready, a wrong passphrase, a command that does not exist."""

import datetime as dt
import re
from collections.abc import Iterator

from assay.drills.engine.session_cache import clear
from assay.drills.restore.postgres import PostgresRestore
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.runbook_edits import runbook_line, runbook_with
from assay.proof.violation import violation


POINT = "--from-literal=POINT=<POINT>"
WRONG = "kubectl restore postgres"
APPLY = re.compile(rf"(## {PostgresRestore.section}(?:.|\n)*?)kubectl apply -k \S+")


@violation()
def older_backup(plant: Plant) -> Iterator[Named]:
    """PostgreSQL is restored to a moment before the ledger: all pods are ready, but the data is too old."""
    moment = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S}+00"
    with runbook_with(plant, lambda text: text.replace(POINT, f"'--from-literal=POINT={moment}'")):
        yield Named(PostgresRestore.target.ref)


@violation()
def other_passphrase(plant: Plant) -> Iterator[Named]:
    """The escrow holds a passphrase that does not open the backup."""
    (file,) = plant.profile.need_path("escrow.folder").glob("*-passphrase")
    clear()
    try:
        with plant.talos_api.replaced(file, "a passphrase of another repository"):
            yield Named(PostgresRestore.target.ref)
    finally:
        clear()


@violation()
def no_such_command(plant: Plant) -> Iterator[Named]:
    """The runbook uses a command that kubectl does not have."""
    yield from runbook_line(plant, WRONG, lambda text: APPLY.sub(rf"\1{WRONG}", text, count=1))
