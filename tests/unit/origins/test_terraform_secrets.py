"""Secrets in Terraform's sources, files of variables, plans and states; and what is none. Offline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assay.errors import ProbeError
from assay.origins.terraform_secrets import in_plan, in_sources, in_state, source_files
from assay.probes.terraform.plan import TerraformPlan
from assay.probes.terraform.sources import TerraformSources
from assay.probes.terraform.state import TerraformState
from tests.unit.support.trees import tree, whole


VALUE = "kQ93-vLmZ0pWtXy7bb"
SHORT = "Wintr41!"
SENSITIVE = 'variable "pin" {\n  type      = string\n  sensitive = true\n}\n'


def judged(tmp_path: Path, **files: str) -> list[tuple[str, str]]:
    infra = tmp_path / "infra"
    (infra / ".terraform").mkdir(parents=True)
    (infra / ".terraform" / "cache.tf").write_text(f'locals {{ db_password = "{VALUE}" }}\n')
    for name, text in {"main_tf": 'locals {\n  a = "b"\n}\n', **files}.items():
        place = infra / name.replace("__", "/").replace("_", ".")
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)
    terraform = TerraformSources([tree(infra)])
    found = whole(terraform, in_sources(terraform, source_files(terraform)))
    assert not any(VALUE in str(one) or SHORT in str(one) for one in found)
    return [(one.ref, one.why) for one in found]


def names(found: list[tuple[str, str]]) -> list[str]:
    return [ref for ref, _ in found]


@pytest.mark.parametrize(
    ("files", "ref"),
    [
        ({"a_tf": f'locals {{\n  db_password = "{VALUE}"\n}}\n'}, "File infra/a.tf:2"),
        ({"a_tf": f'variable "db_password" {{\n  default = "{VALUE}"\n}}\n'}, "File infra/a.tf:2"),
        ({"a_tf": f'resource "x" "y" {{\n  user_data = <<EOT\n  password: "{VALUE}"\nEOT\n}}\n'},
         "File infra/a.tf:3"),
        ({"prod_tfvars": f'size = 3\ndb_password = "{VALUE}"\n'}, "File infra/prod.tfvars:2"),
        ({"a_tf": f'locals {{\n  a = sensitive("{SHORT}")\n}}\n'}, "File infra/a.tf:2"),
        ({"a_tf": SENSITIVE.replace("}", f'  default = "{SHORT}"\n}}')}, "File infra/a.tf:1"),
        ({"a_tf": SENSITIVE.replace("string", "number").replace("}", "  default = 4711\n}")},
         "File infra/a.tf:1"),
        ({"a_tf": SENSITIVE.replace("string", "list(string)").replace("}", f'  default = ["{SHORT}"]\n}}')},
         "File infra/a.tf:1"),
        ({"a_tf": f'output "line" {{\n  sensitive = true\n  value = "{SHORT}"\n}}\n'}, "File infra/a.tf:1"),
        ({"a_tf": SENSITIVE, "prod_tfvars": f'size = 3\npin  = "{SHORT}"\n'}, "File infra/prod.tfvars:2"),
        ({"a_tf": SENSITIVE, "x_tfvars_json": f'{{\n  "pin": "{SHORT}"\n}}\n'}, "File infra/x.tfvars.json:2"),
        ({"sub__a_tf": SENSITIVE.replace("}", f'  default = "{SHORT}"\n}}')}, "File infra/sub/a.tf:1"),
        ({"terraform_tfstate": f'{{"version": 4, "resources": [{{"instances": [{{"attributes": '
          f'{{"password": "{VALUE}"}}}}]}}]}}\n'}, "File infra/terraform.tfstate:1"),
    ],
)  # fmt: skip
def test_a_literal_is_named_by_file_and_line(tmp_path: Path, files: dict[str, str], ref: str) -> None:
    assert names(judged(tmp_path, **files)) == [ref]


@pytest.mark.parametrize(
    "text",
    [
        SENSITIVE,
        SENSITIVE.replace("}", "  default = null\n}"),
        SENSITIVE.replace("}", '  default = ""\n}'),
        SENSITIVE.replace("}", '  default = "changeme"\n}'),
        'locals {\n  db_password = var.password\n  token = "${var.token}"\n  a = sensitive(var.pin)\n}\n',
        'output "line" {\n  sensitive = true\n  value = random_password.db.result\n}\n',
        'data "vault_kv_secret_v2" "db" {\n  mount = "kv"\n  name  = "shop/db"\n}\n',
    ],
)
def test_a_reference_is_no_literal(tmp_path: Path, text: str) -> None:
    assert judged(tmp_path, a_tf=text) == []


def test_what_does_not_parse_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="does not parse"):
        judged(tmp_path, a_tf="variable {{{\n")


# plans ----------------------------------------------------------------------------------------------

THING = {"address": "module.m.vendor_thing.one[0]", "mode": "managed", "type": "vendor_thing", "name": "one"}


def plan(
    tmp_path: Path, values: dict[str, Any], marks: object = None, **more: object
) -> list[tuple[str, str]]:
    change = {"actions": ["create"], "before": None, "after": values, "after_unknown": {}}
    document = {
        "format_version": "1.2",
        "planned_values": {"root_module": {"child_modules": [{"resources": [{**THING, "values": values}]}]}},
        "resource_changes": [{**THING, "change": {**change, "after_sensitive": marks or {}}}],
        **more,
    }
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(document))
    found = in_plan(TerraformPlan(path))
    assert not any(VALUE in str(one) or SHORT in str(one) for one in found)
    return [(one.ref, one.why) for one in found]


def test_a_value_under_a_telling_name_is_found_once(tmp_path: Path) -> None:
    assert plan(tmp_path, {"password": VALUE, "size": 3}) == [
        (THING["address"], "plan.json: password: a value under the name password")
    ]


@pytest.mark.parametrize(
    ("values", "marks", "attribute"),
    [
        ({"line": SHORT}, {"line": True}, "line"),
        ({"line": 4711}, {"line": True}, "line"),
        ({"rows": [{"a": "b", "line": SHORT}]}, {"rows": [{"line": True}]}, "rows.0.line"),
        ({"rows": {"a": {"line": SHORT}}}, {"rows": True}, "rows.a.line"),
        ({"line": SHORT}, True, "line"),
    ],
)
def test_what_terraform_marks_is_found(
    tmp_path: Path, values: dict[str, Any], marks: object, attribute: str
) -> None:
    assert plan(tmp_path, values, marks) == [
        (THING["address"], f"plan.json: {attribute}: Terraform marks it as sensitive")
    ]


@pytest.mark.parametrize("values", [{"line": None}, {"line": ""}, {"line": True}, {}, {"other": "b"}])
def test_what_is_not_known_yet_is_no_secret(tmp_path: Path, values: dict[str, Any]) -> None:
    assert plan(tmp_path, values, {"line": True}) == []


def test_variables_outputs_constants_and_the_past_count_too(tmp_path: Path) -> None:
    configuration = {
        "root_module": {
            "variables": {"pin": {"sensitive": True}, "size": {}},
            "resources": [{**THING, "expressions": {"password": {"constant_value": VALUE}}}],
        }
    }
    found = plan(
        tmp_path,
        {},
        variables={"pin": {"value": SHORT}, "size": {"value": "9"}, "db_password": {"value": VALUE}},
        output_changes={"line": {"actions": ["create"], "after": SHORT, "after_sensitive": True}},
        prior_state={"values": {"outputs": {"old": {"sensitive": True, "value": SHORT}}, "root_module": {
            "resources": [{**THING, "address": "data.a.b", "values": {"x": SHORT}, "sensitive_values": True}]
        }}},
        configuration=configuration,
    )  # fmt: skip
    assert sorted(names(found)) == [
        "File plan.json", "data.a.b", THING["address"], "output.line", "var.db_password", "var.pin"
    ]  # fmt: skip


def test_half_a_plan_is_not_judged(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="not complete"):
        plan(tmp_path, {}, complete=False)


def test_the_plan_of_the_platform_holds_no_secret() -> None:
    path = Path(__file__).parents[3] / "infra" / "testdata" / "plan.hand-made.json"
    assert in_plan(TerraformPlan(path)) == []


# states ---------------------------------------------------------------------------------------------


def state(tmp_path: Path, document: object) -> list[tuple[str, str]]:
    path = tmp_path / "a.tfstate"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    found = in_state(TerraformState(path))
    assert not any(VALUE in str(one) or SHORT in str(one) for one in found)
    return [(one.ref, one.why) for one in found]


def pulled(attributes: dict[str, Any], **more: object) -> dict[str, Any]:
    instance = {"attributes": attributes, **more}
    one = {
        "module": "module.m",
        "mode": "managed",
        "type": "random_password",
        "name": "db",
        "instances": [instance],
    }
    return {"version": 4, "outputs": {}, "resources": [one]}


def test_a_generated_password_lies_in_the_state(tmp_path: Path) -> None:
    assert state(tmp_path, pulled({"result": VALUE, "length": 18})) == [
        ("module.m.random_password.db", "a.tfstate: result: a value under the name random_password")
    ]


@pytest.mark.parametrize(
    ("attributes", "way"),
    [
        ({"line": SHORT}, [{"type": "get_attr", "value": "line"}]),
        ({"rows": [{"a": SHORT}]}, [{"type": "get_attr", "value": "rows"},
                                    {"type": "index", "value": {"type": "number", "value": 0}},
                                    {"type": "get_attr", "value": "a"}]),
        ({"rows": {"k": SHORT}}, [{"type": "get_attr", "value": "rows"},
                                  {"type": "index", "value": {"type": "string", "value": "k"}}]),
    ],
)  # fmt: skip
def test_what_the_state_marks_is_found(tmp_path: Path, attributes: dict[str, Any], way: list[Any]) -> None:
    (found,) = state(tmp_path, pulled(attributes, sensitive_attributes=[way]))
    assert found[0] == "module.m.random_password.db"


def test_outputs_and_what_show_prints(tmp_path: Path) -> None:
    outputs = {"line": {"value": SHORT, "type": "string", "sensitive": True}, "url": {"value": "https://a"}}
    assert names(state(tmp_path, {"version": 4, "outputs": outputs, "resources": []})) == ["output.line"]
    root = {"resources": [{**THING, "values": {"x": SHORT}, "sensitive_values": {"x": True}}]}
    shown = {
        "format_version": "1.0",
        "terraform_version": "1.9.0",
        "values": {"outputs": outputs, "root_module": root},
    }
    assert sorted(names(state(tmp_path, shown))) == [THING["address"], "output.line"]


def test_an_encrypted_state_shows_nothing(tmp_path: Path) -> None:
    assert (
        state(tmp_path, {"serial": 1, "lineage": "x", "encrypted_data": VALUE, "encryption_version": "v0"})
        == []
    )


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 3, "resources": []}', "\x00", '{"version": 4}']
)
def test_what_is_no_state_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ProbeError):
        state(tmp_path, text)
    with pytest.raises(ProbeError):
        in_state(TerraformState(tmp_path / "none"))
