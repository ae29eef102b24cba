"""The plugin, by real runs of pytest over small catalogues of real files."""

from __future__ import annotations

import datetime
import json
import shutil
from pathlib import Path
from unittest.mock import ANY

import pytest

from assay.run.evidence import Chain, read_lines, verify
from tests.unit.support.catalogue import GOOD, PLANTS, Toy


BAD = "one bad-two bad-three"
RAISES = """
@pytest.mark.control("{id}")
def test_things(stack, control):
    raise ProbeError("the API answers 403", "grant list")
"""
EMPTY = """
@pytest.mark.control("{id}")
def test_things(stack, control):
    pass
"""
UNDECLARED = """
@pytest.mark.control("{id}")
def test_things(stack, control):
    control.population([1])
    assert control.limit("rpo") > 0
"""
CANARY = "s3cr3t-canary"
TALKS = {
    "NET-01": "raise ValueError(CANARY)",
    "NET-02": 'assert CANARY == "other"',
    "NET-03": "raise_from(CANARY)",
    "NET-04": 'control.offender("Thing bad", "is bad"); assert not control.found',
    "NET-06": 'control.offender("Thing bad", "is bad"); raise ValueError(CANARY)',
    "NET-07": 'control.unread("Thing", ProbeError("denied", "ask")); assert not control.found',
}
TALK = """
def raise_from(text):
    try:
        int(text)
    except ValueError as why:
        raise ProbeError("told in words", "look there") from why

CANARY = "-".join(["s3cr3t", "canary"])
@pytest.mark.control("{id}")
def test_things(stack, control):
    control.population([1])
"""
SETUP = """
@pytest.fixture
def odd():
    raise ValueError("-".join(["s3cr3t", "canary"]))

@pytest.mark.control("{id}")
def test_things(stack, control, odd):
    control.population([1])
"""
UNDONE = """
@violation()
def bad_thing(plant):
    'A bad thing in the list, and an undo that fails.'
    with plant.added("infra", "list", " bad-one"):
        yield Named("Thing bad-one")
    raise KeyError("-".join(["s3cr3t", "canary"]))
"""
INTERRUPTED = """
import os, signal
@pytest.mark.control("{id}")
def test_things(stack, control):
    control.population([1])
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background has it ignored
    os.kill(os.getpid(), signal.SIGINT)
"""


def run(pytester: pytest.Pytester, *words: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml", *words)


def evidence(pytester: pytest.Pytester, folder: str = "evidence") -> list[dict[str, object]]:
    return [line for line in all_lines(pytester, folder) if line["record"] == "judgement"]


def all_lines(pytester: pytest.Pytester, folder: str = "evidence") -> list[dict[str, object]]:
    (path,) = Path(pytester.path, "reports", folder).glob("*.jsonl")
    return read_lines(path)


def shown(pytester: pytest.Pytester, *words: str) -> list[dict[str, object]]:
    """Return the evidence of a run of whose output and files none holds the canary."""
    shutil.rmtree(Path(pytester.path, "reports"), ignore_errors=True)
    result = run(pytester, *words)
    files = [path for path in Path(pytester.path, "reports").rglob("*") if path.is_file()]
    assert {".json", ".jsonl", ".xml"} <= {path.suffix for path in files}
    for text in (result.stdout.str(), result.stderr.str(), *(path.read_text() for path in files)):
        assert CANARY not in text
    return evidence(pytester, "proof" if "--prove" in words else "evidence")


def last(result: pytest.RunResult) -> str:
    return [line for line in result.outlines if line.strip()][-1]


def test_all_good_is_green_and_exit_0(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    result = run(pytester)
    assert result.ret == 0
    assert last(result) == "GREEN: 1 of 1 in scope, 1 in the catalogue, 0 not checked"


def test_a_failure_is_red_exit_1_and_names_offender_and_remedy(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    toy.write("infra/list", BAD)
    result = run(pytester)
    assert result.ret == 1
    assert last(result).startswith("RED: 0 of 1 in scope")
    result.stdout.fnmatch_lines(
        [
            "FAIL (1)",
            "  Infra",
            "*NET-01*3 of 3*",
            "*- Thing bad-two: is bad",
            "*remedy: The remedy of NET-01.",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    (line,) = evidence(pytester)
    assert line["verdict"] == "FAIL"
    assert line["looked_at"] == 3
    assert line["offenders"] == [["Thing bad-two", "is bad"], ["Thing bad-three", "is bad"]]


@pytest.mark.parametrize(
    ("test", "verdict", "reason"),
    [
        pytest.param(RAISES, "ERROR", "the API answers 403", id="probe"),
        pytest.param(EMPTY, "ERROR", "passed without a population: nothing was looked at", id="empty"),
        pytest.param(UNDECLARED, "NOT_CHECKED", "no number is declared for rpo of NET-01", id="undeclared"),
    ],
)
def test_what_cannot_be_judged_is_exit_10(
    pytester: pytest.Pytester, toy: Toy, test: str, verdict: str, reason: str
) -> None:
    toy.trio("NET-01", test)
    assert run(pytester).ret == 10
    (line,) = evidence(pytester)
    assert (line["verdict"], line["reason"]) == (verdict, reason)


def test_third_party_messages_reach_no_report(pytester: pytest.Pytester, toy: Toy) -> None:
    """Neither what they say, nor what was compared, nor what caused an error of ours; --tb shows them."""
    for name, line in TALKS.items():
        toy.trio(name, f"{TALK}    {line}\n")
    toy.trio("NET-05", SETUP)
    reports = ("--alluredir=reports/allure", "--junitxml=reports/junit.xml")
    assert {line["control"]: line["verdict"] for line in shown(pytester, *reports)} == {
        "NET-01": "ERROR", "NET-02": "FAIL", "NET-03": "ERROR", "NET-04": "FAIL", "NET-05": "ERROR",
        "NET-06": "FAIL", "NET-07": "ERROR",
    }  # fmt: skip
    text = Path(pytester.path, "reports/junit.xml").read_text()
    for words in ("ValueError in test_net_01.py", "told in words", "remedy: look there",
                  "1 offender, 1 looked at",
                  "- Thing bad: is bad", "remedy: The remedy of NET-04",
                  "- could not be read: the rest of the test: ValueError in test_net_06.py",
                  "- could not be read: Thing: denied"):  # fmt: skip
        assert words in text
    toy.trio("NET-01", GOOD, UNDONE)
    proof = shown(pytester, *reports, "--prove", "--control", "NET-01")
    assert "KeyError in net_01.py" in str(proof)
    assert [line["verdict"] for line in proof] == ["FAIL", "ERROR"]  # caught, and then not undone
    assert CANARY in run(pytester, *reports, "--tb=short").stdout.str()


def test_what_a_signal_ends_is_an_error(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01", INTERRUPTED)
    result = pytester.runpytest_inprocess("acceptance", "--stack", "toy.toml", no_reraise_ctrlc=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["ERROR (1)", "*because: was interrupted", "*remedy: *assay drill status*"])
    assert last(result).startswith("UNSURE: 0 of 1") or "ERROR" in last(result)
    assert [line["verdict"] for line in evidence(pytester)] == ["ERROR"]


@pytest.mark.parametrize("scope", ['controls = ["NET-01"]', "tested_only = true"])
def test_controls_without_a_test_are_rows_and_narrow_the_gate_only_in_scope(
    scope: str, pytester: pytest.Pytester, toy: Toy
) -> None:
    toy.trio("NET-01")
    toy.policy("NET-02")
    assert run(pytester).ret == 10
    toy.write("toy.toml", (toy.root / "toy.toml").read_text() + f"[scope]\n{scope}\n")
    result = run(pytester)
    assert result.ret == 0
    assert last(result) == "GREEN: 1 of 1 in scope, 2 in the catalogue, 1 not checked"


def test_a_partial_selection_says_so_first_and_last(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    toy.trio("NET-02")
    result = run(pytester, "--control", "NET-02")
    result.stdout.fnmatch_lines(["assay: *(PARTIAL: control NET-02)"])
    assert last(result).endswith("(PARTIAL: control NET-02)")
    result = run(pytester, "-k", "net_01")
    assert (
        last(result)
        == "GREEN: 1 of 1 selected, 2 in the catalogue, 1 not checked (PARTIAL: what the command line names)"
    )


def test_a_waiver_shows_and_an_expired_one_does_not_help(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    toy.write("infra/list", BAD)
    waiver = '\n[[waivers]]\ncontrol="NET-01"\nscope="Thing bad-*"\nreason="known"\napprover="Ann"\n'
    waiver += "created={}\nexpires={}\n"
    profile = (toy.root / "toy.toml").read_text()
    toy.write("toy.toml", profile + waiver.format("2020-01-01", "2020-02-01"))
    result = run(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*waiver for NET-01*not in force*"])
    day = datetime.datetime.now(datetime.UTC).date()
    toy.write("toy.toml", profile + waiver.format(day, day + datetime.timedelta(days=30)))
    result = run(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["FAIL, waived (1)", "*NET-01*WAIVED*", "*waived by Ann until*"])
    assert last(result).endswith("1 waived")


def test_not_applicable_is_green_and_gives_its_reason(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    toy.policy("NET-02")
    text = '\n[[not_applicable]]\ncontrol="NET-02"\nreason="no gateway here"\n'
    toy.write("toy.toml", (toy.root / "toy.toml").read_text() + text)
    result = run(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*because: no gateway here"])


def test_workers_send_their_records_to_one_unbroken_chain(pytester: pytest.Pytester, toy: Toy) -> None:
    for number in range(1, 5):
        toy.trio(f"NET-0{number}")
    result = pytester.runpytest_subprocess("acceptance", "--stack", "toy.toml", "-n", "2")
    assert result.ret == 0
    assert {line["control"] for line in evidence(pytester)} == {"NET-01", "NET-02", "NET-03", "NET-04"}
    assert verify(all_lines(pytester)) == Chain(6, ANY, closed=True)


def test_collecting_lists_controls_and_needs_no_stack(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    result = pytester.runpytest_inprocess("acceptance", "--collect-only", "-q")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["NET-01*static*Infra*The statement of NET-01."])
    assert not (pytester.path / "reports").exists()


def test_no_stack_is_exit_4_and_names_both_ways(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    result = pytester.runpytest_inprocess("acceptance")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: no stack to judge - *--stack FILE or ASSAY_STACK*make lab-up"])


@pytest.mark.parametrize(
    ("mark", "says"),
    [("xfail", "hides a failure"), ("skip", "hides a failure")],
)
def test_what_hides_a_failure_is_refused(pytester: pytest.Pytester, toy: Toy, mark: str, says: str) -> None:
    toy.trio("NET-01", f"@pytest.mark.{mark}" + GOOD)
    result = run(pytester)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{says}*"])


def test_load_and_drill_refuse_workers(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01", tiers='["drill"]')
    result = run(pytester, "-n", "2")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: load and drill run alone*"])


def test_several_invocations_share_one_chain(
    pytester: pytest.Pytester, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.trio("NET-01")
    toy.trio("NET-02")
    monkeypatch.setenv("ASSAY_RUN", "one-run")
    run(pytester, "--control", "NET-01")
    run(pytester, "--control", "NET-02")
    lines = evidence(pytester)
    assert [line["control"] for line in lines] == ["NET-01", "NET-02"]
    assert verify(all_lines(pytester)) == Chain(2, ANY, closed=False)


def test_a_proof_plants_catches_and_names(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    result = run(pytester, "--prove")
    assert result.ret == 0
    assert last(result) == "PROVED: 1 of 1 planted violations caught and named, 1 controls"
    (row,) = json.loads((pytester.path / "reports/detections.json").read_text())
    assert (row["control"], row["violation"]) == ("NET-01", "bad_thing")
    assert (row["caught"], row["named"]) == (True, True)
    assert evidence(pytester, "proof")[0]["kind"] == "proof"
    assert not (pytester.path / "reports/evidence").exists()
    assert (pytester.path / "infra/list").read_text() == "one two three"


@pytest.mark.parametrize(
    ("old", "new", "code", "says"),
    [
        pytest.param('" bad-one"', '" good-one"', 1, "*MISSED*", id="missed"),
        pytest.param("Thing bad-one", "Thing bad-other", 1, "*caught, NOT NAMED*", id="not-named"),
        pytest.param('Named("Thing bad-one")', "None", 10, "*nothing was planted*", id="nothing"),
        pytest.param(
            'plant.added("infra", "list", " bad-one")',
            'plant.edited("infra", "list", "nine", "x")',
            10,
            "*nothing planted*",
            id="no-text",
        ),
    ],
)
def test_a_blind_control_is_seen(
    pytester: pytest.Pytester, toy: Toy, old: str, new: str, code: int, says: str
) -> None:
    toy.trio("NET-01", plants=PLANTS.replace(old, new))
    result = run(pytester, "--prove")
    assert result.ret == code
    result.stdout.fnmatch_lines([says])


def test_an_error_of_the_test_is_no_catch(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01", RAISES)
    assert run(pytester, "--prove").ret == 10


def test_nothing_is_planted_outside_a_lab(pytester: pytest.Pytester, toy: Toy) -> None:
    toy.trio("NET-01")
    toy.write("toy.toml", (toy.root / "toy.toml").read_text().replace('"lab"', '"production"'))
    result = run(pytester, "--prove")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["ERROR: toy is production: nothing is planted there*"])


def test_a_breach_is_a_number_beyond(pytester: pytest.Pytester, toy: Toy) -> None:
    test = """
@pytest.mark.control("{id}")
def test_length(stack, control):
    words = control.population((stack.paths.infra[0].path / "list").read_text().split())
    assert control.measured(len(words), "words", "length") <= control.limit("length")
"""
    plants = PLANTS.replace('Named("Thing bad-one")', 'Breach("length", "above", 4)')
    toy.trio("NET-01", test, plants, more='limits = [{metric="length", value=3, unit="words"}]\n')
    assert run(pytester).ret == 0
    assert run(pytester, "--prove").ret == 0
    toy.trio(
        "NET-01",
        test,
        plants.replace("4)", "5)"),
        more='limits = [{metric="length", value=3, unit="words"}]\n',
    )
    assert run(pytester, "--prove").ret == 1


def test_the_plugin_sleeps_elsewhere(pytester: pytest.Pytester, toy: Toy) -> None:
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest_inprocess()
    assert result.ret == 0
    assert "assay:" not in result.stdout.str()
