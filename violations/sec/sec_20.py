"""SEC-20: secrets in clear, in every place of a repository where they have been found in real ones.

Every secret is made when it is planted; none is written here.
"""

from __future__ import annotations

import base64
import gzip
import io
import secrets
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from assay.errors import GuardError
from assay.model import Named
from assay.proof.plant import Plant
from assay.proof.source_trees import AUTHOR, git
from assay.proof.violation import violation


def _password() -> str:
    return f"{secrets.token_urlsafe(15)}7aQ"


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _in_file(name: str, what: str, file: str, make: Callable[[], str], line: int = 1) -> None:
    """Register a violation that adds a file; its `line` must be named."""

    @violation(name=name, what=what)
    def planted(plant: Plant) -> Iterator[Named]:
        with plant.added("repositories", file, make()):
            yield Named(f"File {file}:{line}")


def _repository(plant: Plant) -> Path:
    if not plant.paths.repositories:
        raise GuardError("no repository to plant in", "set repositories under [paths]")
    return plant.paths.repositories[0]


def _commit(folder: Path, file: str, text: str) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(text)
    git(folder, "add", "-f", "--", file)
    git(folder, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted", "--", file)


@violation()
def removed_fifty_commits_back(plant: Plant) -> Iterator[Named]:
    """A password that was committed and removed again, fifty commits ago."""
    with plant.committed("planted/db.env", f"DB_PASSWORD={_password()}\n", then_removed=True):
        for number in range(50):
            git(_repository(plant), *AUTHOR, "commit", "-q", "--allow-empty", "-m", f"planted {number}")
        yield Named("File planted/db.env:1")


@violation()
def side_branch(plant: Plant) -> Iterator[Named]:
    """A password on a branch that was never merged."""
    with plant.copied("repositories") as copy:
        home = git(copy, "rev-parse", "HEAD").strip()
        git(copy, "checkout", "-q", "-b", "planted-side")
        _commit(copy, "planted/side.yaml", f"database:\n  password: {_password()}\n")
        git(copy, "checkout", "-q", home)
        yield Named("File planted/side.yaml:2")


@violation()
def merge_commit(plant: Plant) -> Iterator[Named]:
    """A password that was written while a merge was resolved, and removed afterwards: neither parent has it."""
    with plant.copied("repositories") as copy:
        git(copy, "checkout", "-q", "-b", "planted-other")
        git(copy, *AUTHOR, "commit", "-q", "--allow-empty", "-m", "planted other")
        git(copy, "checkout", "-q", "-b", "planted-main", "HEAD~1")
        git(copy, *AUTHOR, "commit", "-q", "--allow-empty", "-m", "planted main")
        git(copy, *AUTHOR, "merge", "-q", "--no-ff", "--no-commit", "planted-other")
        (copy / "planted.ini").write_text(f"[db]\npassword = {_password()}\n")
        git(copy, "add", "-f", "planted.ini")
        git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted merge")
        git(copy, *AUTHOR, "rm", "-q", "planted.ini")
        git(copy, *AUTHOR, "commit", "-q", "--no-verify", "-m", "planted file removed")
        yield Named("File planted.ini:2")


@violation()
def tag_only(plant: Plant) -> Iterator[Named]:
    """A password in a commit that only a tag refers to."""
    with plant.copied("repositories") as copy:
        home = git(copy, "rev-parse", "HEAD").strip()
        git(copy, "checkout", "-q", "--detach")
        _commit(copy, "planted/tagged.properties", f"spring.datasource.password={_password()}\n")
        git(copy, "tag", "planted-tag")
        git(copy, "checkout", "-q", home)
        yield Named("File planted/tagged.properties:1")


@violation()
def commit_message(plant: Plant) -> Iterator[Named]:
    """A token pasted into the message of a commit."""
    with plant.copied("repositories") as copy:
        text = f"rotate\n\nold one was hvs.{_password()}{_password()}"
        git(copy, *AUTHOR, "commit", "-q", "--allow-empty", "-m", text)
        yield Named(f"Commit {git(copy, 'rev-parse', 'HEAD').strip()[:12]}")


@violation()
def tarball(plant: Plant) -> Iterator[Named]:
    """A Kubernetes Secret in an archive."""
    body = f"kind: Secret\nmetadata: {{name: a}}\nstringData:\n  pin: {_password()}\n".encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("chart/secret.yaml")
        entry.size = len(body)
        archive.addfile(entry, io.BytesIO(body))
    with plant.added("repositories", "planted/chart.tgz", "") as path:
        path.write_bytes(packed.getvalue())
        git(_repository(plant), "add", "-f", "planted/chart.tgz")
        yield Named("File planted/chart.tgz:1")


@violation()
def hidden_by_comment(plant: Plant) -> Iterator[Named]:
    """A token that gitleaks is told to ignore, by a comment and by an ignore file."""
    token = f"hvs.{_password()}{_password()}"
    with plant.added("repositories", "planted/app.py", f'TOKEN = "{token}"  # gitleaks:allow\n'):
        ignore = _repository(plant) / ".gitleaksignore"
        ignore.write_text("planted/app.py:vault-service-token:1\n")
        git(_repository(plant), "add", "-f", ".gitleaksignore")
        yield Named("File planted/app.py:1")


@violation()
def expired_baseline(plant: Plant) -> Iterator[Named]:
    """A password that was accepted in the baseline, until a date that has passed."""
    from assay.origins.leaks import BASELINE, oid_of

    text = f"password: {_password()}\n"
    entry = (
        f'[[accepted]]\nobject = "{oid_of(text.encode())}"\nline = 1\nrule = "a value under the name password"\n'
        'reason = "planted"\napprover = "planted"\ncreated = 2026-01-01\nexpires = 2026-02-01\n'
    )
    with plant.added("repositories", "planted/legacy.yaml", text):
        (_repository(plant) / BASELINE).write_text(entry)
        yield Named("File planted/legacy.yaml:1")


def _secret(key: str, value: Callable[[], str], kind: str = "stringData") -> Callable[[], str]:
    return lambda: f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\n{kind}:\n  {key}: {value()}\n"


def _inside_config() -> str:
    nested = _b64(f"listen: 1\ndatabase_password: {_password()}\n")
    return f"kind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  blob: {_b64(gzip.compress(nested.encode()).hex())}\n"


def _talos() -> str:
    return (
        "version: v1alpha1\nmachine:\n  type: controlplane\n  ca:\n    crt: ''\n    key: ''\ncluster:\n"
        f"  secretboxEncryptionSecret: {base64.b64encode(secrets.token_bytes(32)).decode()}\n"
    )


def _state() -> str:
    return (
        '{"version": 4, "resources": [{"type": "random_password", "instances": [{"attributes":\n'
        f'{{"id": "none", "result": "{_password()}"}}}}]}}]}}\n'
    )


def _plan() -> str:
    return f'{{"format_version": "1.2", "variables": {{\n"db_password": {{"value": "{_password()}"}}}}}}\n'


_in_file("clear_secret", "A Secret in clear.", "planted/a.yaml", _secret("pin", _password), 6)
_in_file(
    "encoded_secret",
    "A Secret whose data is base64 only.",
    "planted/b.yaml",
    _secret("pin", lambda: _b64(_password()), "data"),
    6,
)
_in_file(
    "config_map",
    "A password in a ConfigMap.",
    "planted/c.yaml",
    lambda: f"kind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  DB_PASSWORD: {_password()}\n",
    4,
)
_in_file(
    "config_map_url",
    "A connection string with its password in a ConfigMap.",
    "planted/d.yaml",
    lambda: f"kind: ConfigMap\ndata:\n  DSN: postgres://app:{_password()}@db:5432/app\n",
    3,
)
_in_file(
    "helm_values",
    "A password in Helm values.",
    "planted/values.yaml",
    lambda: f"postgresql:\n  auth:\n    username: app\n    password: {_password()}\n",
    4,
)
_in_file(
    "nested_encodings", "A password inside base64, hex, gzip and base64.", "planted/e.yaml", _inside_config, 4
)
_in_file(
    "age_identity",
    "An age identity.",
    "planted/keys.txt",
    lambda: f"AGE-SECRET-KEY-1{base64.b32encode(secrets.token_bytes(40)).decode()[:58]}\n",
)
_in_file(
    "cloud_token",
    "A cloud token in a script.",
    "planted/run.sh",
    lambda: f"export HCLOUD_TOKEN={secrets.token_hex(28)}ZqLmWx8K\n",
)
_in_file("machine_configuration", "A key in a Talos machine configuration.", "planted/cp.yaml", _talos, 8)
_in_file(
    "variable_default",
    "A password as the default of a Terraform variable.",
    "planted/main.tf",
    lambda: f'variable "db_password" {{\n  type = string\n  default = "{_password()}"\n}}\n',
    3,
)
_in_file(
    "tfvars",
    "A password in a Terraform variables file.",
    "planted/prod.tfvars",
    lambda: f'db_password = "{_password()}"\n',
)
_in_file("state", "A generated password in a Terraform state.", "planted/a.tfstate", _state, 2)
_in_file("plan", "The value of a variable in a Terraform plan.", "planted/plan.json", _plan, 2)
