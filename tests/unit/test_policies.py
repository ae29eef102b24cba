"""The catalogue as it stands: complete, well-formed, each control traced to a place of the specification."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from assay.catalogue import load_catalogue
from assay.effect import Effect
from assay.model import Tier


ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "policies").glob("*/*.toml"))
POLICIES = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in FILES}
FINDINGS = tomllib.loads((ROOT / "policies" / "findings.toml").read_text(encoding="utf-8"))["finding"]
SPECIFICATION = tomllib.loads((Path(__file__).parent / "specification.toml").read_text(encoding="utf-8"))
NEEDED = {"id", "statement", "source", "owner", "tiers", "effects", "remedy"}
OPTIONAL = {"limits", "needs", "maps", "lists", "tables", "further", "rights"}
UNITS = {"ms", "s", "h", "d", "B", "1/s", "ratio", "count"}


def every_policy(rule: Callable[[str], None]) -> Callable[[], None]:
    """Make one test of a rule: each policy is held to it, and the one that breaks it is named."""

    def test() -> None:
        for control in sorted(POLICIES):
            try:
                rule(control)
            except AssertionError as broken:
                broken.add_note(f"policy {control}")
                raise

    test.__doc__ = rule.__doc__
    return test


def test_the_catalogue_has_127_controls() -> None:
    """No id twice, none missing, none in the wrong family's folder."""
    assert len(FILES) == len(POLICIES) == 127
    assert Counter(path.parent.name for path in FILES) == SPECIFICATION["families"]
    assert all(path.stem.split("-")[0].lower() == path.parent.name for path in FILES)


def test_owners_answer_for_as_many_controls_as_the_catalogue_says() -> None:
    """Nobody outside the operational matrix owns a control."""
    assert Counter(policy["owner"] for policy in POLICIES.values()) == SPECIFICATION["owners"]


def test_statements_and_remedies_are_said_once() -> None:
    """Two controls with one sentence are one control."""
    for key in ("statement", "remedy"):
        times = Counter(policy[key] for policy in POLICIES.values())
        assert [text for text, n in times.items() if n > 1] == []


@every_policy
def test_a_policy_has_the_keys_it_needs_and_no_others(control: str) -> None:
    """A misspelt key would silently take a limit away."""
    policy = POLICIES[control]
    assert policy["id"] == control
    assert set(policy) >= NEEDED
    assert set(policy) - NEEDED <= OPTIONAL
    assert all(isinstance(policy[key], str) and policy[key].strip() for key in NEEDED - {"tiers", "effects"})


@every_policy
def test_a_statement_is_one_sentence_and_short_enough_to_read(control: str) -> None:
    """One sentence that can be false; the remedy is at least one."""
    policy = POLICIES[control]
    assert re.fullmatch(r"\S.*\S\.", policy["statement"])
    assert not re.search(r"[.!?] [A-Z]", policy["statement"])
    assert len(policy["statement"]) <= 200
    assert policy["remedy"].endswith(".")
    assert "TODO" not in policy["statement"] + policy["remedy"]


@every_policy
def test_a_source_is_a_real_claim_of_a_real_section(control: str) -> None:
    """`Section: claim`, several joined by `; `."""
    for source in POLICIES[control]["source"].split("; "):
        section, colon, claim = source.partition(": ")
        assert colon
        assert section in SPECIFICATION["sections"]
        assert claim in SPECIFICATION["sections"][section]


@every_policy
def test_tiers_are_known_and_in_order(control: str) -> None:
    """static, live, load, drill: from the cheapest to the dearest."""
    order = [tier.value for tier in Tier]
    tiers = POLICIES[control]["tiers"]
    assert tiers
    assert tiers == [tier for tier in order if tier in tiers]


@every_policy
def test_limits_have_a_metric_a_number_and_a_known_unit(control: str) -> None:
    """No metric twice: the second would never be read."""
    limits = POLICIES[control].get("limits", [])
    for limit in limits:
        assert {"metric", "unit"} <= set(limit) <= {"metric", "value", "unit", "specified"}
        assert isinstance(limit.get("value", 0), int | float)
        assert limit["unit"] in UNITS
    assert len({limit["metric"] for limit in limits}) == len(limits)


@pytest.mark.parametrize(
    ("control", "metric", "value", "unit"),
    [
        ("ACC-01", "threshold", 200, "ms"),
        ("ACC-01", "share_over", 0.05, "ratio"),
        ("ACC-02", "ingest_to_commit", 10, "s"),
        ("ACC-03", "timeouts", 0, "count"),
        ("ACC-03", "load_factor", 2, "ratio"),
        ("ACC-07", "restore", 1800, "s"),
        ("ACC-09", "lost_writes", 0, "count"),
        ("ARCH-01", "voters", 3, "count"),
        ("ARCH-01", "control_planes", 3, "count"),
        ("DR-01", "restore", 1800, "s"),
        ("DR-02", "restore", 1800, "s"),
        ("DR-03", "restore", 1800, "s"),
        ("DR-04", "restore", 1800, "s"),
        ("DR-11", "lost_writes", 0, "count"),
        ("PERF-02", "offload", 0.8, "ratio"),
    ],
)
def test_the_policies_hold_the_numbers_of_the_specification(
    control: str, metric: str, value: float, unit: str
) -> None:
    """A relaxed limit shows here, beside the specification's own number."""
    fixed = {"metric": metric, "value": value, "unit": unit, "specified": True}
    assert fixed in POLICIES[control]["limits"]


@pytest.mark.parametrize("control", ["ACC-09", "DR-11"])
def test_a_number_the_specification_does_not_give_is_not_invented(control: str) -> None:
    """The pause in writes is the profile's to declare."""
    assert {"metric": "write_gap", "unit": "s"} in POLICIES[control]["limits"]


def test_the_judged_controls_are_decided_in_the_tiers_they_have_tests_for() -> None:
    """A tier without a test would be a promise."""
    catalogue = load_catalogue(ROOT)
    tested = {
        name: {case.tier for case in catalogue.cases if case.control == name} for name in catalogue.judged
    }
    assert {name: set(catalogue.controls[name].tiers) for name in tested} == tested


@every_policy
def test_maps_name_real_looking_benchmark_ids(control: str) -> None:
    """CIS Kubernetes Benchmark ids are three numbers with dots."""
    maps = POLICIES[control].get("maps", {})
    assert set(maps) <= {"cis-kubernetes"}
    assert all(re.fullmatch(r"[1-5]\.\d{1,2}\.\d{1,2}", number) for ids in maps.values() for number in ids)


def test_the_seventeen_contradictions_name_a_control_each() -> None:
    """S1 to S17 in order, every field filled, every control in the catalogue."""
    assert [finding["id"] for finding in FINDINGS] == [f"S{number}" for number in range(1, 18)]
    for finding in FINDINGS:
        assert set(finding) == {"id", "says", "fact", "evidence", "control"}
        assert all(str(text).strip() for text in finding.values())
        assert finding["control"] in POLICIES


def test_no_file_of_the_catalogue_is_read_by_nobody() -> None:
    """Everything under policies/ is a policy or the findings."""
    folder = ROOT / "policies"
    files = {path for path in folder.rglob("*") if path.is_file()}
    assert files == {*FILES, folder / "findings.toml"}


@every_policy
def test_a_policy_says_what_judging_each_tier_does_to_the_platform(control: str) -> None:
    """A tier that declares nothing would do what its kind usually does, unseen by who reads the policy."""
    policy = POLICIES[control]
    assert list(policy["effects"]) == policy["tiers"]
    assert set(policy["effects"].values()) <= set(Effect)
    for tier, effect in policy.get("further", {}).items():
        assert Effect(effect).includes(Effect(policy["effects"][tier]))
        assert effect != policy["effects"][tier]


@every_policy
def test_files_are_only_read(control: str) -> None:
    """What is decided by files needs no platform."""
    assert POLICIES[control]["effects"].get("static", "reads") == "reads"
