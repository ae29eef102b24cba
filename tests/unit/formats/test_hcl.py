"""The reader of Terraform sources: values, instances, and what it refuses."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.formats.hcl import Hcl
from assay.formats.hcl_value import known
from assay.formats.resource import Unresolved
from tests.unit.support.trees import whole


INFRA = Path(__file__).parents[3] / "infra"


def module(folder: Path, text: str, name: str = "main.tf") -> Hcl:
    (folder / name).write_text(text, encoding="utf-8")
    return Hcl(folder)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ('"a"', "a"),
        ("[1, 2]", [1, 2]),
        ('"x-${1 + 2}"', "x-3"),
        ('concat(["a"], ["b"])', ["a", "b"]),
        ("-4", -4),
        ("true ? 1 : 2", 1),
        ('[for n in range(2) : "v${n}"]', ["v0", "v1"]),
        ("{ a = 1 }.a", 1),
        ("!true", False),
        ('{ for k, v in { a = 1 } : "k${k}" => v if v == 1 }', {"ka": 1}),
        ("merge([{ a = 1 }, { b = 2 }]...)", {"a": 1, "b": 2}),
        ('toset(["b", "a", "b"])', ["a", "b"]),
        (r'"q\"\n$${x}"', 'q"\n${x}'),
        ("null", None),
        ("[[1], [2]][1][0]", 2),
    ],
)
def test_values(tmp_path: Path, expression: str, value: object) -> None:
    (one,) = module(tmp_path, f'resource "a" "b" {{\n  x = {expression}\n}}\n').resources("a")
    assert one.attributes["x"] == value


@pytest.mark.parametrize(
    "expression",
    ["var.none", "data.x.y.z", 'file("x")', "a[*].id", 'cidrhost("10.0.0.0/8", 1)', "local.circle"],
)
def test_what_files_do_not_decide_stays_open(tmp_path: Path, expression: str) -> None:
    text = f'locals {{\n  circle = local.circle\n}}\nresource "a" "b" {{\n  x = {expression}\n}}\n'
    assert not known(module(tmp_path, text).resources("a")[0].attributes["x"])


def test_tfvars_win_over_defaults(tmp_path: Path) -> None:
    module(tmp_path, "n = 2\n", "z.auto.tfvars")
    text = 'variable "n" {\n  default = 3\n}\nresource "a" "b" {\n  count = var.n\n}\n'
    assert [one.address for one in module(tmp_path, text).resources()] == ["a.b[0]", "a.b[1]"]


def test_an_unknown_count_is_said(tmp_path: Path) -> None:
    (one,) = module(tmp_path, 'variable "n" {}\nresource "a" "b" {\n  count = var.n\n}\n').resources()
    assert isinstance(one.unresolved, Unresolved)


def test_an_unknown_dynamic_block_is_said(tmp_path: Path) -> None:
    text = 'resource "a" "b" {\n  dynamic "rule" {\n    for_each = var.x\n    content {}\n  }\n}\n'
    text += 'variable "x" {}\n'
    (block,) = module(tmp_path, text).resources()[0].blocks("rule")
    assert isinstance(block, Unresolved)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        ("a.tf", b"\xef\xbb\xbflocals {}\n"),
        ("a.tf", b"locals {\n  a = \n"),
        ("a.tf", b"locals {\n  a = 1\n  a = 2\n}\n"),
        ("a.tf", b"\xff\xfe"),
        ("a.tf", b"#" * (10 * 1024 * 1024)),
        ("a.tf", b"a = 1\n"),
        ("a.tf", b'resource "x" {}\n'),
        ("a.tf", b'resource "a" "b" {}\nresource "a" "b" {}\n'),
        ("x.tf.json", b"{}"),
        ("a_override.tf", b"locals {}\n"),
        ("terraform.tfvars.json", b"{"),
        ("a.tf", b"x = " + b"[" * 400 + b"]" * 400 + b"\n"),
        ("note.md", b"nothing"),
    ],
    ids=itertools.count(),
)
def test_bad_input_is_an_error_with_a_remedy(tmp_path: Path, name: str, raw: bytes) -> None:
    if "tfvars" in name or name == "x.tf.json":
        module(tmp_path, 'variable "a" {}\n')
    (tmp_path / name).write_bytes(raw)
    probe = Hcl(tmp_path)
    with pytest.raises(ProbeError) as caught:
        whole(probe, (probe.variables, dict(probe.scope["local"]), probe.resources()))
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        _ = Hcl(tmp_path / "none").blocks


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "main.tf").write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        Hcl(tmp_path).resources()
    except ProbeError as error:
        if not error.remedy:
            raise


def test_the_reference_platform() -> None:
    servers = Hcl(INFRA).resources("hcloud_server")
    assert len([one for one in servers if one.name == "control_plane"]) == 3
    assert sorted(str(one.key) for one in servers if one.name == "worker") == [
        "ai-1",
        "app-1",
        "app-2",
        "db-1",
        "db-2",
        "db-3",
    ]


@pytest.mark.parametrize("broken", ["b.tf", "b.tf.json", "override.tf"])
def test_a_file_that_cannot_be_read_costs_that_file(tmp_path: Path, broken: str) -> None:
    probe = module(tmp_path, 'resource "a" "b" {\n  x = 1\n}\n')
    (tmp_path / broken).write_text("locals {\n  a = \n")
    assert [one.address for one in probe.resources()] == ["a.b"]
    assert list(probe.gaps.unread) == [f"File {broken}"]


def test_an_expression_of_several_lines_is_read_and_no_line_moves(tmp_path: Path) -> None:
    text = (
        'locals {\n  host = "https://${\n    var.x\n  }:6443"\n  one = module.cluster.\n    name\n}\n'
        'variable "x" {\n  default = "a"\n}\nresource "a" "b" {\n  url = local.host\n}\n'
    )
    (one,) = module(tmp_path, text).resources()
    assert (one.attributes["url"], one.where) == ("https://a:6443", "main.tf:11")


def test_files_of_opentofu_are_read_and_of_one_name_in_both_neither_is_guessed(tmp_path: Path) -> None:
    probe = module(tmp_path, 'resource "a" "b" {}\n', "main.tofu")
    assert [one.address for one in probe.resources()] == ["a.b"]
    both = module(tmp_path, 'resource "c" "d" {}\n', "main.tf")
    assert [one.address for one in both.resources()] == ["a.b"]
    assert list(both.gaps.unread) == ["File main.tf"]


def test_a_file_whose_name_begins_with_a_dot_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('resource "a" "b" {}\n')
    (tmp_path / ".old.tf").write_text('resource "a" "old" {}\n')
    (tmp_path / ".#main.tf").symlink_to("nowhere")
    read = Hcl(tmp_path)
    assert [one.ref for one in read.resources()] == ["a.b"]
    assert not read.gaps.unread
