"""`assay init`: what is found takes its place in the example, what is not stays a comment."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.loader import load_profile
from assay.preflight.checkout import from_checkout, from_path
from assay.preflight.cluster import from_talosconfig
from assay.preflight.init import compare_profile, create
from assay.preflight.profile_text import Finding, Findings, Value, render, toml_value


EXAMPLE = (Path(__file__).parents[3] / "stacks" / "example.toml").read_text(encoding="utf-8")
SECRET = "-".join(("not", "a", "real", "key"))
TALOSCONFIG = f"context: eu\ncontexts:\n  eu:\n    endpoints: [192.0.2.1]\n    key: {SECRET}\n"


def named() -> Findings:
    found = Findings()
    found.put("stack.name", "eu", "here")
    found.put("stack.kind", "production", "here")
    return found


def test_nothing_found_is_a_profile_that_declares_nothing(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(render(EXAMPLE, named()))
    profile = load_profile(tmp_path / "s.toml")
    assert (profile.name, profile.kind) == ("eu", "production")
    assert profile.kube.apiservers == ()
    assert profile.platform.services == ()
    assert not any(one.numbers or one.lists for one in profile.overrides.values())


def test_what_is_found_stands_there_with_its_source_and_the_explanation(tmp_path: Path) -> None:
    found = named()
    found.put("kube.apiservers", ["https://192.0.2.1:6443"], "EndpointSlice")
    found.put("talos.controlplanes", {"cp-1": "192.0.2.1"}, "Nodes")
    found.put("platform.pools.names", ["db"], "labels", proposed=True)
    found.tables["platform.services"] = [
        {"name": Finding("data", "claims"), "owns": Finding(["* data/*"], "x")}
    ]
    text = render(EXAMPLE, found)
    (tmp_path / "s.toml").write_text(text)
    profile = load_profile(tmp_path / "s.toml")
    assert profile.kube.apiservers == ("https://192.0.2.1:6443",)
    assert "# from EndpointSlice; " in text
    assert profile.talos.controlplanes == {"cp-1": "192.0.2.1"}
    assert profile.platform.pools.names == (), "an expectation is the owner's to confirm"
    assert '# names = ["db"]  # from labels, to be confirmed by you' in text
    assert [(one.name, one.owns) for one in profile.platform.services] == [("data", ("* data/*",))]


@pytest.mark.parametrize("value", ['a"b\\c\n', "ü", 3.5, True, ["a", "b"], {"a-b": "c"}])
def test_values_are_written_as_toml_reads_them(value: Value) -> None:
    assert tomllib.loads(f"x = {toml_value(value)}")["x"] == value


@given(st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc"))))
def test_any_text_is_read_back(text: str) -> None:
    assert tomllib.loads(f"x = {toml_value(text)}")["x"] == text


def checkout(folder: Path) -> Path:
    files = {
        "terraform/main.tf": "", "terraform/modules/net/main.tf": "", "deploy/app/kustomization.yaml": "",
        "machines/cp.yaml": "machine:\n  type: controlplane\n", "docs/emergency-runbook.md": "",
        "docs/backup-and-restore.md": "", "deploy/.sops.yaml": f"age: age1{'q' * 58}\n",
        "machines/patch.yaml": "extraArgs:\n  oidc-issuer-url: https://id.example.com/\n",
        "vendor/big/main.tf": "", ".gitignore": "vendor/\n",
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


def test_a_checkout_says_where_its_sources_lie(tmp_path: Path) -> None:
    folder, found = checkout(tmp_path), Findings()
    from_checkout(folder, found)
    places = {key: one.value for key, one in found.keys.items()}
    assert places["paths.infra"] == str(folder / "terraform"), "modules and what Git ignores are left out"
    assert places["paths.gitops"] == str(folder / "deploy")
    assert places["paths.talos"] == str(folder / "machines")
    assert places["paths.runbook"] == str(folder / "docs/emergency-runbook.md")
    assert places["paths.backups_doc"] == str(folder / "docs/backup-and-restore.md")
    assert places["oidc.issuer"] == "https://id.example.com/"
    assert found.keys["sops.recipients"].proposed


def test_an_empty_folder_is_said_to_hold_nothing(tmp_path: Path) -> None:
    found = Findings()
    from_checkout(tmp_path, found)
    assert "paths.infra" in " ".join(found.missed)


def test_a_table_of_tools_is_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """`[tools.more]` is a table; more(1) is on every PATH."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    found = Findings()
    from_path(found)
    assert found.keys["tools.talosctl"].value == "/bin/talosctl"
    assert "tools.more" not in found.keys


def test_no_key_of_a_talosconfig_is_kept(tmp_path: Path) -> None:
    (tmp_path / "talosconfig").write_text(TALOSCONFIG)
    found = named()
    from_talosconfig(tmp_path / "talosconfig", found)
    assert found.keys["talos.endpoints"].value == ["192.0.2.1"]
    assert SECRET not in render(EXAMPLE, found)


def test_a_broken_talosconfig_is_missed_not_raised(tmp_path: Path) -> None:
    (tmp_path / "talosconfig").write_text("context: [")
    found = Findings()
    from_talosconfig(tmp_path / "talosconfig", found)
    assert "talosconfig" in " ".join(found.missed)


def test_run_again_it_shows_what_changed_and_writes_nothing(tmp_path: Path) -> None:
    found, file = named(), tmp_path / "s.toml"
    found.put("kube.apiservers", ["https://192.0.2.1:6443"], "EndpointSlice")
    assert "next: assay doctor" in create(file, EXAMPLE, found)[-1]
    before = file.read_bytes()
    assert compare_profile(file, found) == [f"{file}: nothing changed"]
    later = named()
    later.put("kube.apiservers", ["https://192.0.2.1:6443", "https://192.0.2.2:6443"], "EndpointSlice")
    lines = compare_profile(file, later)
    assert any(line.startswith("+ kube.apiservers") and "192.0.2.2" in line for line in lines)
    assert file.read_bytes() == before
