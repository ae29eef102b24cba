"""`assay doctor`: what each control needs is read from its test; what fails is said, and holds nobody."""

from __future__ import annotations

import ast
import json
import re
import time
from pathlib import Path

import pytest

from assay.catalogue import load_catalogue
from assay.config.loader import load_profile
from assay.config.profile import Profile, TalosAccess
from assay.model import Tier
from assay.preflight import checks
from assay.preflight.check import Check
from assay.preflight.checks import run_checks
from assay.preflight.doctor import diagnose, report_lines
from assay.preflight.needs import ATTRIBUTES, NEUTRAL, OR, needs_of, value_at


ROOT = Path(__file__).parents[3]
CATALOGUE = load_catalogue(ROOT)
EXAMPLE = load_profile(ROOT / "stacks" / "example.toml")


def test_every_attribute_that_a_test_asks_of_the_stack_is_known() -> None:
    asked = {
        node.attr
        for case in CATALOGUE.cases
        for node in ast.walk(ast.parse(case.path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "stack"
    }
    assert asked <= ATTRIBUTES.keys() | NEUTRAL


def test_every_key_that_a_control_needs_is_one_of_the_profile() -> None:
    keys = {key for one in needs_of(CATALOGUE) for several in one.keys for key in several.split(OR)}
    assert keys
    assert [key for key in sorted(keys) if value_at(EXAMPLE, key) is None and not in_example(key)] == []


def in_example(key: str) -> bool:
    text = (ROOT / "stacks" / "example.toml").read_text(encoding="utf-8")
    return bool(re.search(rf"^(# )?{key.rpartition('.')[2]} = ", text, re.MULTILINE))


def test_a_profile_with_nothing_misses_everything_at_once(tmp_path: Path) -> None:
    found = diagnose(CATALOGUE, Profile(tmp_path / "s.toml", "x", "production"), [], {})
    assert found.code == 10
    assert not any(one.ready for one in found.cases)
    arch = next(one for one in found.cases if (one.control, one.tier) == ("ARCH-01", Tier.LIVE))
    assert {"set kube.kubeconfig", "set talos.config or talos.reader_config"} <= set(arch.missing)
    load = next(one for one in found.cases if one.control == "ACC-01")
    assert 'set controls."ACC-01".peak_rps' in load.missing


def test_a_credential_without_what_it_is_used_by_is_not_tried(tmp_path: Path) -> None:
    """What is missing is said once, as a key, and all keys of a control in one line."""
    (tmp_path / "talosconfig").touch()
    talos = TalosAccess(config=tmp_path / "talosconfig")
    profile = Profile(tmp_path / "s.toml", "x", "production", talos=talos)
    tried = run_checks(profile)
    assert "talos.config" not in {one.subject for one in tried}
    lines = list(report_lines(diagnose(CATALOGUE, profile, tried, {})))
    assert any(re.match(r"NODE-01 .* NO: set kube.kubeconfig, tools.talosctl$", line) for line in lines)


def test_a_failed_check_stands_at_every_control_that_uses_the_system() -> None:
    broken = Check("credential", "vault.token", "vault", False, "permission denied", "renew it")
    found = diagnose(CATALOGUE, EXAMPLE, [broken], {("SEC-24", Tier.LIVE): 2.0})
    sec_24 = next(one for one in found.cases if one.control == "SEC-24")
    assert "vault.token: permission denied" in sec_24.missing
    assert sec_24.seconds == 2.0
    text = "\n".join(report_lines(found))
    assert "vault.token: permission denied - renew it" in text
    assert text.splitlines()[-1].startswith("NOT READY")
    assert json.dumps(found.as_json())


def test_what_hangs_is_a_failed_check_and_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang() -> list[Check]:
        time.sleep(3)
        return []

    good = Check("tool", "age", "", True, "v1")
    asks = [(("credential", "kube.kubeconfig", "kube"), hang), (("tool", "age", ""), lambda: [good])]
    monkeypatch.setattr(checks, "_asks", lambda stack: asks)
    began = time.monotonic()
    found = run_checks(Profile(tmp_path / "s.toml", "x", "production"), deadline_s=0.2)
    assert time.monotonic() - began < 2
    assert [(one.subject, one.ok) for one in found] == [("kube.kubeconfig", False), ("age", True)]
    assert "no answer within" in found[0].says


def test_a_fault_of_one_check_is_a_line_not_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").write_text("no: kubeconfig")
    head = '[stack]\nname="x"\nkind="production"\n'
    (tmp_path / "s.toml").write_text(f'{head}[kube]\nkubeconfig="kubeconfig"\n[tools]\nage="/nowhere/age"\n')
    found = run_checks(load_profile(tmp_path / "s.toml"))
    assert {one.subject for one in found if not one.ok} >= {"kube.kubeconfig", "age"}
    assert all(one.remedy and "\n" not in one.says for one in found if not one.ok)
