"""Which rights a selection needs, and that what gitops/ grants is generated from the policies."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.catalogue import Catalogue, load_catalogue
from assay.config.loader import load_profile
from assay.config.platform import Signatures
from assay.effect import Effect
from assay.model import Tier
from assay.preflight.needs import needs_of
from assay.probes.kube.registrations import known_products
from assay.rights.needed import ITSELF, needed_rights
from assay.rights.nightly import ACCESS, AUDITOR, PROFILE, nightly_files


ROOT = Path(__file__).parents[3]
# Attribute of the stack -> the systems that grant what it needs.
GRANTS = {
    "kube": {"kubernetes"},
    "decoy": {"kubernetes"},
    "talos": {"talos"},
    "vault": {"vault"},
    "origins": {"kubernetes"},
    "transactions": {"postgres"},
    "s3": {"s3"},
    "restorable": {"s3"},
    "points": {"s3"},
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue(ROOT)


def test_every_judgement_that_asks_a_system_declares_its_rights(catalogue: Catalogue) -> None:
    """A right that nobody declared is one that the reader of `assay rights` does not have."""
    silent = {
        (one.control, system)
        for one in needs_of(catalogue)
        if one.tier in (Tier.STATIC, Tier.LIVE)
        for name in one.systems & GRANTS.keys()
        for system in GRANTS[name]
        if system not in {right.system for right in catalogue.controls[one.control].rights.get(one.tier, ())}
    }
    assert silent == set()


def test_rights_are_declared_for_tiers_that_have_a_test(catalogue: Catalogue) -> None:
    cases = {(case.control, case.tier) for case in catalogue.cases}
    declared = {(name, tier) for name, one in catalogue.controls.items() for tier in one.rights}
    assert declared <= cases


def test_no_right_is_bigger_than_what_the_policy_says_of_its_effect(catalogue: Catalogue) -> None:
    for control in catalogue.controls.values():
        for tier, rights in control.rights.items():
            biggest = [control.effect(tier), *filter(None, [control.further.get(tier)])]
            for right in rights:
                small = any(one.includes(right.effect) for one in biggest)
                assert small or (right.tried and right.effect is Effect.WRITES), (control.id, right)


@pytest.mark.parametrize("control", ["ACC-05", "SEC-02"])
def test_the_policies_of_every_gate_that_is_known_may_be_read(catalogue: Catalogue, control: str) -> None:
    rights = catalogue.controls[control].rights[Tier.LIVE]
    listed = {what for one in rights if "list" in one.verbs for what in one.on}
    wanted = {
        f"{gate.api}/{name}" for gate in known_products(Signatures()) for name in gate.policies if gate.api
    }
    assert wanted
    assert wanted - listed == set()


def test_a_selection_gets_its_own_rights_and_those_of_a_run(catalogue: Catalogue) -> None:
    profile = load_profile(ROOT / PROFILE)
    found = needed_rights(catalogue, profile, {("SEC-24", Tier.LIVE)}, {Effect.READS})
    assert {one.control for one in found} == {ITSELF, "SEC-24"}
    assert {one.right.system for one in found} == {"vault"}
    assert not [one for one in found if one.right.tried]


def test_effects_that_are_not_allowed_bring_no_rights(catalogue: Catalogue) -> None:
    profile, pairs = load_profile(ROOT / PROFILE), {("SEC-25", Tier.LIVE)}
    few = needed_rights(catalogue, profile, pairs, {Effect.READS, Effect.DRY_RUN})
    more = needed_rights(catalogue, profile, pairs, set(Effect))
    token = "serviceaccounts/token"
    assert token not in {what for one in few for what in one.right.on}
    assert token in {what for one in more for what in one.right.on}


def test_names_of_the_profile_take_the_place_of_words(catalogue: Catalogue) -> None:
    found = needed_rights(catalogue, load_profile(ROOT / PROFILE), {("ACC-04", Tier.LIVE)}, {Effect.READS})
    assert "kv/data/*" in {what for one in found for what in one.right.on}


@pytest.mark.parametrize("path", [ACCESS, AUDITOR])
def test_what_gitops_grants_is_fresh(catalogue: Catalogue, path: str) -> None:
    assert (ROOT / path).read_text() == nightly_files(catalogue)[path], "run make docs"
