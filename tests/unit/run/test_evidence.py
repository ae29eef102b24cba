"""The chain of evidence lines, what may be in one, and how a run is read back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from assay.cli import main
from assay.errors import AssayError
from assay.model import Tier
from assay.run.entries import Closing, Entry, Judgement, Opening, entry_from, row_of
from assay.run.evidence import START, EvidenceLog, read_lines, verify
from assay.run.past import earlier_runs, find_run, read_past_run


AT = "2026-11-28T10:00:30+00:00"
ONE = Judgement(
    "NET-01", "d", "Infra", "static", "t", "PASS", start=AT, end=AT, offenders=(("Pod a/b", "why"),),
    notes={"a": "b"}, run="r",
)  # fmt: skip
OPENING = Opening("2026-11-28T10:00:00+00:00", pairs=(("NET-01", "static"),), scope=("NET-01",))


def written(path: Path, count: int = 3, *, opened: bool = True, closed: bool = True) -> Path:
    entries: list[Entry] = [OPENING] if opened else []
    for entry in [*entries, *[ONE] * count]:
        EvidenceLog(path, {"run": path.stem, "stack": "toy", "cluster_uid": "u"}).append(entry)
    if closed:
        log = EvidenceLog(path, {"run": path.stem, "stack": "toy", "cluster_uid": "u"})
        log.append(Closing("2026-11-28T10:01:00+00:00", log.sequence, log.head, "complete", "GREEN", 0))
    return path


def verified(path: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["verify", str(path), *words])
    return done.exit_code, done.output


def test_a_log_opened_again_goes_on_until_its_run_is_closed(tmp_path: Path) -> None:
    path = written(tmp_path / "r.jsonl", closed=False)
    chain = verify(lines := read_lines(path))
    assert (chain.count, chain.closed) == (4, False)
    assert lines[0]["prev"] == START
    assert entry_from(lines[3]) == ONE
    with pytest.raises(AssayError, match="the run is closed"):
        written(written(tmp_path / "s.jsonl"))


@pytest.mark.parametrize("change", ["value", "removed", "swapped", "first", "appended", "count"])
def test_a_changed_file_is_seen(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "e.jsonl")
    lines = path.read_text().splitlines()
    changed = {
        "value": [lines[0], lines[1].replace("PASS", "FAIL"), *lines[2:]],
        "removed": [lines[0], *lines[2:]],
        "swapped": [lines[0], lines[2], lines[1], *lines[3:]],
        "first": lines[1:],
        "appended": [*lines, lines[1]],
        "count": [*lines[:-1], lines[-1].replace('"count":4', '"count":5')],
    }[change]
    path.write_text("\n".join(changed) + "\n")
    with pytest.raises(AssayError, match=r"does not follow|closes another"):
        verify(read_lines(path))
    assert verified(path)[0] == 1


@pytest.mark.parametrize("left", [0, 1, 2, 4])
def test_lines_that_were_cut_off_are_missed(tmp_path: Path, left: int) -> None:
    """What is left of a file is an unbroken chain, and not the evidence of a whole run."""
    path = written(tmp_path / "e.jsonl")
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:left]))
    assert verify(read_lines(path)).closed is False
    code, said = verified(path)
    assert code == 1
    assert f"cut off after {left} lines" in said


def test_a_line_behind_the_closing_record_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl")
    log = EvidenceLog(tmp_path / "other.jsonl", {})
    log.path, log.sequence, log.head = path, 5, verify(read_lines(path)).head
    log.append(ONE)
    with pytest.raises(AssayError, match="stands behind the closing record"):
        verify(read_lines(path))


def test_verify_prints_the_head_and_compares_it_with_one_that_was_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl")
    head = verify(read_lines(path)).head
    code, said = verified(path)
    assert (code, "5 lines, complete, unbroken" in said, head in said) == (0, True, True)
    assert verified(path, "--head", head)[0] == 0
    assert verified(path, "--head", "0" * 64)[0] == 1


def test_only_allowed_fields_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of the identity nor of a record: what is not named never reaches the disk."""
    monkeypatch.setattr("assay.run.evidence.row_of", lambda one: {**row_of(one), "raw": "s3cr3t"})
    EvidenceLog(tmp_path / "e.jsonl", {"run": "r", "password": "x"}).append(ONE)
    assert "s3cr3t" not in (tmp_path / "e.jsonl").read_text()
    assert "password" not in (tmp_path / "e.jsonl").read_text()


def test_long_texts_and_lists_of_a_judgement_are_cut_and_those_of_the_opening_are_not() -> None:
    row = row_of(dataclasses.replace(ONE, reason="x" * 9000, asked=("q",) * 9000))
    assert len(row["reason"]) < 2100
    assert len(row["asked"]) == 500
    assert len(row_of(dataclasses.replace(OPENING, scope=("A-01",) * 9000))["scope"]) == 9000


@given(st.text(max_size=50), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20))
def test_any_text_and_number_come_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, number: float, key: str
) -> None:
    path = tmp_path_factory.mktemp("e") / "e.jsonl"
    one = dataclasses.replace(ONE, reason=text, numbers=(("m", number, "s"),), notes={key: text})
    EvidenceLog(path, {}).append(one)
    assert row_of(entry_from(read_lines(path)[0])) == json.loads(json.dumps(row_of(one)))


def test_no_evidence_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssayError, match="not an evidence file"):
        read_lines(tmp_path / "none.jsonl")


def test_a_run_is_read_back_and_one_without_an_opening_is_refused(tmp_path: Path) -> None:
    past = read_past_run(written(tmp_path / "r1.jsonl"))
    assert (past.run, past.selection.pairs, len(past.judgements)) == ("r1", {("NET-01", Tier.STATIC)}, 3)
    assert past.title == "run r1 of 2026-11-28 10:00 UTC"
    assert read_past_run(written(tmp_path / "r2.jsonl", closed=False)).title.endswith(", cut off")
    with pytest.raises(AssayError, match="no opening record"):
        read_past_run(written(tmp_path / "old.jsonl", opened=False))
    assert find_run(tmp_path, "r1").run == find_run(tmp_path, str(tmp_path / "r1.jsonl")).run == "r1"
    for name, why in (("r", "2 runs begin like this"), ("x", "no such run")):
        with pytest.raises(AssayError, match=why):
            find_run(tmp_path, name)


def test_earlier_runs_are_those_of_the_same_stack_that_can_be_read_newest_first(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        written(tmp_path / f"{name}.jsonl")
    (tmp_path / "d.jsonl").write_text("no json")
    assert [one.run for one in earlier_runs(tmp_path, "toy", "u")] == ["c", "b", "a"]
    assert [one.run for one in earlier_runs(tmp_path, "toy", "u", most=1)] == ["c"]
    assert earlier_runs(tmp_path, "toy", "another") == earlier_runs(tmp_path, "other", "u") == []


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(("opening", "judgement", "closing")), st.data())
def test_a_record_of_any_other_shape_is_refused_in_words(kind: str, data: st.DataObject) -> None:
    """However a field looks: it is read as its type says, or refused; never a traceback later."""
    whole = row_of({"opening": OPENING, "judgement": ONE, "closing": Closing("", 0, "", "", "", 0)}[kind])
    key = data.draw(st.sampled_from(sorted(whole.keys() - {"record"})))
    try:
        entry = entry_from({**whole, key: data.draw(SHAPES)})
    except AssayError:
        return
    found = row_of(entry)[key]
    assert type(found) is type(whole[key]) or isinstance(found, int | float)


@pytest.mark.parametrize(
    ("field", "value"),
    [("pairs", (("NET-01", "x"),)), ("started", "soon"), ("left_out", (("A", "live", "magic", ""),))],
)
def test_a_word_that_is_none_of_ours_is_refused(tmp_path: Path, field: str, value: object) -> None:
    path = tmp_path / "r.jsonl"
    EvidenceLog(path, {}).append(dataclasses.replace(OPENING, **{field: value}))
    with pytest.raises(AssayError, match="a tier, an effect, a verdict or a time"):
        read_past_run(path)
