"""The chain of evidence lines, and what may be in one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from assay.cli import main
from assay.errors import AssayError
from assay.run.evidence import START, EvidenceLog, Judgement, judgement_from, read_lines, verify


ONE = Judgement(
    "NET-01", "d", "Infra", "static", "t", "PASS", offenders=(("Pod a/b", "why"),), notes={"a": "b"}
)


def written(path: Path, count: int = 3) -> Path:
    for _ in range(count):
        EvidenceLog(path, {"run": "r"}).append(ONE.row())
    return path


def test_a_ledger_opened_again_goes_on(tmp_path: Path) -> None:
    lines = read_lines(written(tmp_path / "e.jsonl"))
    assert verify(lines)[0] == 3
    assert lines[0]["prev"] == START
    assert judgement_from(lines[2]) == ONE


@pytest.mark.parametrize("change", ["value", "removed", "swapped", "first"])
def test_a_changed_file_is_seen(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "e.jsonl")
    lines = path.read_text().splitlines()
    changed = {
        "value": [lines[0].replace("PASS", "FAIL"), *lines[1:]],
        "removed": [lines[0], lines[2]],
        "swapped": [lines[0], lines[2], lines[1]],
        "first": lines[1:],
    }[change]
    path.write_text("\n".join(changed) + "\n")
    with pytest.raises(AssayError, match="does not follow"):
        verify(read_lines(path))
    assert CliRunner().invoke(main, ["verify", str(path)]).exit_code == 1


def test_verify_prints_the_head(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl")
    result = CliRunner().invoke(main, ["verify", str(path)])
    assert result.exit_code == 0
    assert verify(read_lines(path))[1] in result.output


def test_only_allowed_fields_are_written(tmp_path: Path) -> None:
    EvidenceLog(tmp_path / "e.jsonl", {"run": "r", "password": "x"}).append({**ONE.row(), "raw": "s3cr3t"})
    assert "s3cr3t" not in (tmp_path / "e.jsonl").read_text()
    assert "password" not in (tmp_path / "e.jsonl").read_text()


def test_long_texts_and_lists_are_cut(tmp_path: Path) -> None:
    row = Judgement("NET-01", "d", "I", "static", "t", "FAIL", reason="x" * 9000, asked=("q",) * 9000).row()
    assert len(row["reason"]) < 2100
    assert len(row["asked"]) == 500


@given(st.text(max_size=50), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20))
def test_any_text_and_number_come_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: float, key: str
) -> None:
    path = tmp_path_factory.mktemp("e") / "e.jsonl"
    one = Judgement(
        "NET-01",
        "d",
        "I",
        "static",
        "t",
        "FAIL",
        reason=text,
        numbers=(("m", number, "s"),),
        notes={key: text},
    )
    EvidenceLog(path, {}).append(one.row())
    assert judgement_from(read_lines(path)[0]).row() == json.loads(json.dumps(one.row()))


def test_no_evidence_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="is no evidence file"):
        read_lines(tmp_path / "none.jsonl")
