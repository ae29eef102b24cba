"""Other names: everything is renamed, nothing that the reference platform alone uses is left."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from assay.config.transactions import Transaction
from assay.drills.faults.scratch import labelled
from assay.drills.restore.place import place_of
from assay.drills.restore.sql_ledger import reading
from assay.probes.runbook.reader import Runbook
from lab import cli, credential, network, pki
from lab.layout import PROJECT
from lab.names import DEFAULT, FOLDER, OTHER, Names, UnknownNameError, current, load, remember, text, tree
from lab.names.check import StrangeNameError, check, leftovers
from lab.names.manifests import Source, without_comments
from lab.names.paths import moved
from lab.profile import SECTIONS


NAMES, REFERENCE = load(OTHER), load(DEFAULT)
FILES = tree.rendered(PROJECT, NAMES)


def documents(files: dict[str, str]) -> list[dict[str, Any]]:
    """Return the objects in the manifests; kustomizations and settings of programs are none."""
    found = [d for path, body in files.items() if path.endswith(".yaml") for d in yaml.safe_load_all(body)]
    return [d for d in found if d and d.get("kind", "Kustomization") != "Kustomization"]


def test_every_name_differs_from_the_reference_platforms() -> None:
    same = [(kind, old) for kind, table in NAMES.tables.items() for old, new in table.items() if old == new]
    assert same == []


def test_new_names_are_not_old_names_of_anything() -> None:
    old = {name for table in NAMES.tables.values() for name in table} - NAMES.kept["Word"].keys()
    assert old.isdisjoint({new for table in NAMES.tables.values() for new in table.values()})


def test_two_things_of_one_kind_have_two_names() -> None:
    shared = {"Prefix", "ExternalSecret", "Secret", "ServiceAccount"}  # each service has a bucket of its own
    for kind, table in NAMES.tables.items():
        assert kind in shared or len(set(table.values())) == len(table), kind


@pytest.mark.parametrize(
    ("kind", "name", "parts"),
    [
        ("Pod", "postgres-1", ("{StatefulSet.postgres}", "1")),
        ("Pod", "vault-2", ("{StatefulSet.vault}", "2")),
        ("PersistentVolumeClaim", "data-vault-0", ("data", "{Pod.vault-0}")),
        ("Service", "postgres-sync", ("{Service.postgres}", "sync")),
    ],
)
def test_names_that_others_derive_fit_together(kind: str, name: str, parts: tuple[str, ...]) -> None:
    derived = "-".join(
        re.sub(r"\{(\w+)\.([^}]+)\}", lambda place: NAMES.of(place[1], place[2]), part) for part in parts
    )
    assert NAMES.of(kind, name) == derived


def test_talos_secret_is_called_like_its_service_account() -> None:
    assert NAMES.of("Secret", "etcd-snapshot") == NAMES.of("ServiceAccount", "etcd-snapshot")


def test_no_reference_name_is_left_in_the_sources() -> None:
    ours = {path: body for path, body in FILES.items() if not path.endswith("definitions.yaml")}
    left = {path: words for path, body in ours.items() if (words := leftovers(body, NAMES))}
    assert left == {}
    assert leftovers("\n".join(FILES), NAMES) == []


def test_every_object_in_the_sources_passes_the_check_of_what_is_deployed() -> None:
    found = documents(dict(FILES))
    assert len(found) > 100
    check(found, NAMES)


def test_the_reference_platform_passes_its_own_check_and_not_that_of_the_others() -> None:
    found = documents(dict(tree.rendered(PROJECT, REFERENCE)))
    check(found, REFERENCE)
    refused = []
    for one in found:
        try:
            check([one], NAMES)
        except StrangeNameError:
            refused.append(one)
    assert len(refused) == len([d for d in found if d["kind"] != "CustomResourceDefinition"])


def test_the_declared_profile_is_renamed_as_well() -> None:
    declared = tree.translated(PROJECT, "stacks/lab.toml", NAMES, strict=False)
    assert leftovers(declared, NAMES) == []
    assert tomllib.loads(declared).keys() == tomllib.loads((PROJECT / "stacks/lab.toml").read_text()).keys()


def test_every_name_is_used_in_the_sources_or_by_the_labs_code() -> None:
    code = "\n".join(path.read_text() for path in (PROJECT / "lab").rglob("*.py"))
    everything = "\n".join(
        [*FILES, *FILES.values(), tree.translated(PROJECT, "stacks/lab.toml", NAMES, strict=False), code]
    )
    unused = [
        f"{kind} {old}"
        for kind, table in NAMES.tables.items()
        for old, new in table.items()
        if new not in everything
        and f'"{old}"' not in code
        and kind not in ("S3User", "File", "Bucket", "Node")
    ]
    assert unused == []


def test_a_phrase_that_does_not_occur_is_reported(tmp_path: Path) -> None:
    file = "gitops/restore/postgres/pg_hba.conf"
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("local all all peer\n")
    with pytest.raises(text.PhraseError, match=r"pg_hba\.conf: .* does not occur"):
        tree.translated(tmp_path, file, NAMES)


def test_a_name_in_no_table_is_reported_with_where_to_add_it() -> None:
    body = "kind: ConfigMap\nmetadata: {name: brand-new, namespace: shop}\n"
    with pytest.raises(UnknownNameError, match=r"ConfigMap brand-new: add it to lab/names/other\.toml"):
        Source(body, "x.yaml", NAMES).renamed()


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"metadata": {"name": "platform-ca"}}, "metadata.name: no ConfigMap is called platform-ca"),
        ({"metadata": {"name": "internal-ca", "namespace": "shop"}}, "no Namespace is called shop"),
        ({"metadata": {"name": "internal-ca"}, "data": {"a": "of public-api"}}, "public-api is a name of"),
        (
            {"metadata": {"name": "internal-ca", "labels": {"platform.example/pool": "x"}}},
            "platform.example/p",
        ),
    ],
)
def test_a_reference_name_is_not_deployed(document: dict[str, Any], message: str) -> None:
    with pytest.raises(StrangeNameError, match=re.escape(message)):
        check([{"apiVersion": "v1", "kind": "ConfigMap", **document}], NAMES)


def test_the_suffix_of_a_generated_name_is_accepted() -> None:
    check(
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ledger-schema-5gk2m7bh8d"}}], NAMES
    )


def test_comments_go_and_all_else_stays() -> None:
    body = "# head\na: 1 # tail\nb: 'x # no comment'\n# middle\nc: |\n  # text\n  d\n"
    assert without_comments(body) == "a: 1\nb: 'x # no comment'\nc: |\n  # text\n  d\n"


def test_one_word_becomes_what_it_means_in_its_place() -> None:
    labels = "{app.kubernetes.io/name: postgres}"
    body = f"kind: Role\nmetadata: {{name: postgres, namespace: postgres, labels: {labels}}}"
    made = yaml.safe_load(Source(body, "x.yaml", NAMES).renamed())["metadata"]
    assert (made["name"], made["namespace"]) == ("ledger-db", "databases")
    assert made["labels"] == {"app.kubernetes.io/name": "sql"}


def test_files_of_vault_are_called_after_what_they_define() -> None:
    path = moved("gitops/platform/vault/config/roles/public-api.json", NAMES)
    assert path == "cluster/base/strongroom/contents/roles/catalogue-login.json"
    assert json.loads(FILES[path])["token_policies"] == ["catalogue-values", "self-service"]


def test_the_tree_is_a_git_repository_with_a_clean_work_tree(tmp_path: Path) -> None:
    tree.write(PROJECT, tmp_path / "platform", NAMES)
    argv = ["git", "-C", str(tmp_path / "platform"), "status", "--porcelain"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == ""
    assert (tmp_path / "platform/handbook/emergency.md").is_file()


@pytest.mark.parametrize("purpose", ["postgres", "vault"])
def test_a_restore_finds_its_place_in_the_renamed_runbook(tmp_path: Path, purpose: str) -> None:
    """The drills know no name of the reference platform: section, namespace, pod and folder are read off."""
    (tmp_path / "r.md").write_text(FILES["handbook/emergency.md"])
    title = NAMES.of("Section", SECTIONS[purpose])
    commands = Runbook(tmp_path / "r.md", more=None).section(title)
    found = place_of(commands, title)
    assert found.namespace == NAMES.of("Namespace", f"{purpose}-restored")
    assert found.pod == NAMES.of("Pod", purpose)
    manifest = yaml.safe_load(FILES[found.manifest.removeprefix("<GIT>/")])
    assert manifest["metadata"]["name"] == found.namespace
    assert labelled(manifest)
    assert found.overlay.removeprefix("<GIT>/cluster/sites/<STACK>/").startswith("trial-")
    if purpose == "postgres":
        order = Transaction("o", "/v2/purchases", "", read="/v2/purchases/{row.id}")
        assert reading(commands, order, {"id": 5}) == {"ORDER": "5"}


def test_names_are_remembered_and_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ASSAY_LAB_NAMES", raising=False)
    assert current(tmp_path).title == DEFAULT
    remember(tmp_path, NAMES)
    assert current(tmp_path).title == OTHER
    monkeypatch.setenv("ASSAY_LAB_NAMES", DEFAULT)
    assert current(tmp_path).title == DEFAULT
    monkeypatch.setenv("ASSAY_LAB_NAMES", "third")
    with pytest.raises(RuntimeError, match="third: no such names; known: default, other"):
        current(tmp_path)


def test_a_kept_name_is_not_renamed_as_well() -> None:
    plain = {kind: table for kind, table in NAMES.kept.items() if kind not in ("Any", "Word", "Text")}
    assert [(k, n) for k, table in plain.items() for n in table if n in NAMES.tables.get(k, {})] == []


def test_the_plugins_credential_is_a_certificate_for_minutes() -> None:
    made: Any = credential.credential(pki.authority("clients"))
    status = made["status"]
    assert made["kind"] == "ExecCredential"
    assert status["clientCertificateData"].startswith("-----BEGIN CERTIFICATE-----")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", status["expirationTimestamp"])


def test_a_set_of_names_without_a_table_falls_back_to_the_general_one_for_objects_only() -> None:
    names = Names("t", {"Object": {"a": "b"}, "Secret": {}, "Bucket": {}}, {"Any": {}})
    assert names.of("Secret", "a") == names.of("CronJob", "a") == "b"
    with pytest.raises(UnknownNameError):
        names.of("Bucket", "a")


def test_the_data_files_are_read_from_beside_the_code() -> None:
    assert {path.name for path in FOLDER.glob("*.toml")} == {"kept.toml", "other.toml", "phrases.toml"}


def test_the_labs_code_loads_with_the_other_names() -> None:
    script = (
        "import importlib, pkgutil, lab\n"
        "for one in pkgutil.walk_packages(lab.__path__, 'lab.'):\n"
        "    if one.name != 'lab.__main__': importlib.import_module(one.name)\n"
        "from lab import deploy, layout, profile\n"
        "document = profile.paths(layout.STATE)['backups_doc']\n"
        "print(layout.NAMES.title, layout.API_HOST, document, deploy.SHOP)\n"
    )
    env = {**os.environ, "ASSAY_LAB_NAMES": OTHER, "PYTHONPATH": str(PROJECT)}
    argv = [sys.executable, "-c", script]
    said = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout.split()
    assert said[:2] == [OTHER, "www.nordwind.example"]
    assert said[2].endswith("/platform/handbook/copies.md")
    assert said[3] == "storefront"


def test_up_with_other_names_runs_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, str]] = []

    def started(_argv: list[str], env: dict[str, str], check: bool) -> subprocess.CompletedProcess[str]:
        seen.append(env)
        return subprocess.CompletedProcess([], 3 if not check else 0)

    monkeypatch.setattr(cli.subprocess, "run", started)
    title = OTHER if cli.NAMES.title == DEFAULT else DEFAULT
    assert CliRunner().invoke(cli.main, ["up", "--names", title]).exit_code == 3
    assert seen[0]["ASSAY_LAB_NAMES"] == title


def test_workers_let_only_control_planes_reach_their_talos_api() -> None:
    rules = network.FIREWALL.format(controls="10.0.0.1, 10.0.0.2")
    assert 'iifname "eth0" ip saddr != { 10.0.0.1, 10.0.0.2 } tcp dport 50000 drop' in rules
