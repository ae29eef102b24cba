"""Records of restores that others did: who signed them, what they say, and what they prove."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.drill_access import DrillAccess
from assay.config.platform import Service
from assay.config.profile import Profile
from assay.drills.restore.evidence import Restores
from assay.drills.restore.records import Records
from assay.drills.restore.result import PARTS, Restore
from assay.drills.restore.signed import NAMESPACE, SignedRestore, read_record, signed_records
from assay.errors import ProbeError
from assay.model import Control, Limit, Override, Record, Tier, Verdict
from assay.run.verdict import classify
from tests.unit.support.signers import Signers


ADA = "ada@example.com"
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
START, END, POINT = (NOW - dt.timedelta(minutes=m) for m in (40, 30, 42))
SAID: dict[str, Any] = {
    "service": "db", "stack": "staging", "cluster_uid": "u-1", "start": START, "end": END, "point": POINT,
    "ledger": "sha256:" + "0" * 64, "rows": 1200, "data_bytes": 10**9, "tool": "barman-cloud 3.12",
    "place": "namespace restore-test", "by": ADA,
}  # fmt: skip


def toml(said: dict[str, Any]) -> str:
    rows = (
        f"{key} = {value.isoformat() if isinstance(value, dt.datetime) else json.dumps(value)}\n"
        for key, value in said.items()
    )
    return "[restore]\n" + "".join(rows)


class Desk:
    """A folder of records, a person who signs, and the stack that they are of."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.signers = folder / "records", Signers(folder)
        self.folder.mkdir()
        self.signers.person(ADA, f'namespaces="{NAMESPACE}"')
        access = DrillAccess(records=self.folder, allowed_signers=self.signers.allowed)
        self.profile = Profile(
            file=folder / "stack.toml", name="staging", kind="staging", cluster_uid="u-1", drill=access,
            overrides={"ACC-07": Override({"detect": 60.0, "decide": 120.0})},
        )  # fmt: skip

    def put(self, name: str = "db.toml", *, sign: bool = True, **changes: object) -> Path:
        """Write a record, changed, and sign it as the person whom it names."""
        said, file = {**SAID, **changes}, self.folder / name
        plain = {k: v.isoformat() if isinstance(v, dt.datetime) else v for k, v in said.items()}
        file.write_text(json.dumps({"restore": plain}) if name.endswith(".json") else toml(said))
        if sign:
            self.signers.sign(file, str(said["by"]), NAMESPACE)
        return file

    def found(self) -> tuple[list[str], list[str]]:
        """Return the services of what counts, and the reasons of what does not."""
        known = signed_records(self.profile, NOW)
        return [one.service for one in known.accepted], [str(one) for one in known.rejected]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("ASSAY_REPORTS", str(tmp_path / "reports"))
    return Desk(tmp_path)


def control(**limits: float) -> Record:
    numbers = {"restore": 1800.0, **limits}
    known = tuple(Limit(value, "s", metric) for metric, value in numbers.items())
    return Record(Control("ACC-07", "s", "s", "o", (Tier.DRILL,), "r", known))


@pytest.mark.parametrize("name", ["db.toml", "db.json"])
def test_a_signed_record_counts_and_says_what_it_is(desk: Desk, name: str) -> None:
    file = desk.put(name)
    (one,) = signed_records(desk.profile, NOW).accepted
    assert (one.service, one.rows, one.seconds) == ("db", 1200, 180 + 600)
    assert one.basis == (
        f"signed record of {ADA}, restored with barman-cloud 3.12 in namespace restore-test, "
        f"sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}"
    )
    record = control()
    record.population(["db"])
    one.report(record, 300.0)
    assert not record.found
    assert record.notes["db: basis"] == one.basis
    assert record.numbers[0].value == 780
    verdict, reason, _ = classify(record, None)
    said = f"rests on a signed record of {ADA}: db with barman-cloud 3.12 in namespace restore-test"
    assert (verdict, reason) == (Verdict.PASS, said)


@pytest.mark.parametrize(("change", "says"), [
    ({"end": START + dt.timedelta(seconds=1700)}, "took 1880 s, not 1800 s"),
    ({"end": START}, "it ended before it began"),
    ({"point": START - dt.timedelta(seconds=301)}, "is 301 s old, not 300.0 s"),
    ({"point": START + dt.timedelta(seconds=1)}, "younger than the loss"),
    ({"rows": 0}, "no row of a ledger"),
    ({"data_bytes": 0}, "no data came back"),
])  # fmt: skip
def test_what_it_says_must_be_enough(desk: Desk, change: dict[str, object], says: str) -> None:
    desk.put(**change)
    (one,) = signed_records(desk.profile, NOW + dt.timedelta(days=1)).accepted
    record = control()
    one.report(record, 300.0)
    assert [says in offender.why for offender in record.found] == [True]
    assert "no recovery point objective is declared" in one.faults(1e9, None)


def test_who_signed_it(desk: Desk) -> None:
    """Not signed, changed afterwards, by somebody else, by nobody on the list, for another purpose."""
    desk.put("unsigned.toml", sign=False)
    file = desk.put("changed.toml")
    file.write_text(file.read_text().replace("rows = 1200", "rows = 9999"))
    desk.signers.person("eve@example.com", f'namespaces="{NAMESPACE}"')
    other = desk.put("other.toml", sign=False)
    desk.signers.sign(other, ADA, NAMESPACE, holder="eve@example.com")
    desk.put("stranger.toml", by="eve@example.com")
    desk.signers.allowed.write_text(desk.signers.allowed.read_text().splitlines()[0] + "\n")
    purpose = desk.put("purpose.toml", sign=False)
    desk.signers.sign(purpose, ADA, "assay-drill")
    services, reasons = desk.found()
    assert services == []
    assert [reason.split(":")[0] for reason in reasons] == [
        f"Record {name}.toml" for name in ("changed", "other", "purpose", "stranger", "unsigned")
    ]
    assert all(
        "is not signed by" in reason and "ssh-keygen -Y sign -n assay-restore" in reason for reason in reasons
    )


@pytest.mark.parametrize(("change", "says"), [
    ({"end": NOW + dt.timedelta(hours=1)}, "ended in the future"),
    ({"ledger": "the ledger"}, "ledger must be the SHA-256"),
    ({"rows": "many"}, "rows must be a whole number"),
    ({"rows": 1.5}, "rows must be a whole number"),
    ({"rows": True}, "rows must be a whole number"),
    ({"rows": -1}, "rows must be a whole number"),
    ({"data_bytes": 10**30}, "data_bytes must be a whole number"),
    ({"tool": ""}, "tool must be given"),
    ({"by": "../ada"}, "by must be a name such as"),
    ({"colour": "red"}, "unknown key"),
])  # fmt: skip
def test_what_it_cannot_say(desk: Desk, change: dict[str, object], says: str) -> None:
    desk.put(sign="by" not in change, **change)
    services, (reason,) = desk.found()
    assert services == []
    assert reason.startswith("Record db.toml: ")
    assert says in reason
    assert "\n" not in reason


@pytest.mark.parametrize("text", ["", "[restore", "{}", "[]", '{"restore": {"start": 3}}', "\udcff"])
@pytest.mark.parametrize("name", ["x.toml", "x.json"])
def test_a_file_that_is_not_a_record(desk: Desk, name: str, text: str) -> None:
    (desk.folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    services, reasons = desk.found()
    assert (services, len(reasons)) == ([], 1)


def test_records_of_others_and_other_files_are_left_alone(desk: Desk) -> None:
    desk.put("elsewhere.toml", stack="production")
    desk.put("before.toml", cluster_uid="u-0")
    (desk.folder / "README.md").write_text("how to write one")
    assert desk.found() == ([], [])


def test_without_a_folder_there_are_none(desk: Desk) -> None:
    profile = dataclasses.replace(desk.profile, drill=DrillAccess())
    assert signed_records(profile, NOW).accepted == ()
    missing = dataclasses.replace(desk.profile.drill, records=desk.folder / "none")
    with pytest.raises(ProbeError, match=r"drill\.records"):
        signed_records(dataclasses.replace(desk.profile, drill=missing), NOW)


@given(st.binary(max_size=300), st.sampled_from(["x.toml", "x.json"]))
def test_any_file_is_read_or_refused(raw: bytes, name: str) -> None:
    with suppress(ProbeError):
        read_record(Path(name), raw)


# beside the suite's own ------------------------------------------------------------------------------


def own(ended: float, service: str = "db") -> Restore:
    parts = {**dict.fromkeys(PARTS, 0.0), "detect": 60.0, "decide": 120.0, "restore": 50.0, "verify": 5.0}
    return Restore(service, ended - 55.0, parts, 1, 60.0, 0, True, "L3", ended)


def test_the_newest_of_both_kinds_counts(desk: Desk) -> None:
    records = Records.from_profile(desk.profile)
    records.add(own(END.timestamp() - 60))
    records.add(own(END.timestamp() - 60, "vault"))
    desk.put()
    newest = Restores(desk.profile).newest()
    assert isinstance(newest["db"], SignedRestore)
    assert newest["vault"].basis.startswith("the suite's own drill of ")
    records.add(own(END.timestamp() + 60))
    assert Restores(desk.profile).newest()["db"].seconds == 235


def test_when_a_drill_is_due(desk: Desk) -> None:
    db, safe = Service("db", backup="barman"), Service("safe", backup="vault-snapshot", section="Vault")
    restores = Restores(desk.profile)
    assert restores.is_due(db, 24)
    desk.put()
    restores = Restores(desk.profile)
    assert not restores.is_due(db, 24)
    assert restores.is_due(db, 0.4)
    assert restores.is_due(safe, 24)
    asked = Restores(desk.profile, "vault")
    assert (asked.is_due(db, 0), asked.is_due(safe, 24)) == (False, True)
    assert (restores.has_drill(safe), restores.has_drill(db)) == (True, False)
