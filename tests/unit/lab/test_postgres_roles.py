"""The lab's script for PostgreSQL's roles: passwords of the secret store, set again until they are."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "lab" / "components" / "postgres" / "roles.py"
DECLARED = ROOT / "gitops" / "platform" / "postgres" / "roles.json"


class Refused(Exception):  # noqa: N818 - psycopg2's own is named Error
    """An error as psycopg2 raises it."""

    pgcode = "XX000"


@pytest.fixture
def roles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """Return the lab's script for roles, as it is in the image, with passwords in a folder of ours."""
    psycopg2: Any = ModuleType("psycopg2")
    psycopg2.Error, psycopg2.sql = Refused, None
    monkeypatch.setitem(sys.modules, "psycopg2", psycopg2)
    read = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda path, *rest: read(DECLARED if path.name == DECLARED.name else path, *rest)
    )
    spec = importlib.util.spec_from_file_location("roles", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    monkeypatch.setattr(found, "CREDENTIALS", tmp_path)
    for name in ("app", "auditor"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "password").write_text(f"{name}'s\n")
    return found


def test_the_members_do_without_the_canarys_password(roles: ModuleType, tmp_path: Path) -> None:
    assert roles.delivered() == {"shop": "app's", "auditor": "auditor's"}
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary" / "password").write_text("canary's\n")
    assert roles.delivered() == {"shop": "app's", "auditor": "auditor's", "canary": "canary's"}


def test_a_password_that_cannot_be_set_is_told_and_tried_again(
    roles: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tried: list[object] = []

    def accounts(passwords: object) -> None:
        tried.append(passwords)
        if len(tried) == 1:
            raise Refused

    def sleep(_: float) -> None:
        if len(rounds := capsys.readouterr().out.splitlines()) == 0:
            raise StopIteration
        said.extend(rounds)

    said: list[str] = []
    monkeypatch.setattr(roles, "leading", lambda: True)
    monkeypatch.setattr(roles, "accounts", accounts)
    monkeypatch.setattr(roles.time, "sleep", sleep)
    with pytest.raises(StopIteration):
        roles.follow()
    assert said == ["accounts: not set, SQLSTATE XX000", "accounts: set from the secret store"]
    assert len(tried) == 2
