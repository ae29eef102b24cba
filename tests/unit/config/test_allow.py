"""`[allow]` of a profile: what is read, and what is refused in one line with a remedy."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from assay.config.loader import load_profile
from assay.config.profile import Profile
from assay.errors import ProfileError


STACK = '[stack]\nname = "x"\nkind = "production"\n'
ALLOW = {
    "effects": '["decoy"]', "from": "2026-11-28T22:00:00Z", "until": "2026-11-29T02:00:00+01:00",
    "allowed_by": '"jane"', "reason": '"release"',
}  # fmt: skip


def load(folder: Path, **changed: str) -> Profile:
    rows = {key: value for key, value in (ALLOW | changed).items() if value}
    path = folder / "stack.toml"
    path.write_text(STACK + "[allow]\n" + "".join(f"{key} = {value}\n" for key, value in rows.items()))
    return load_profile(path)


def at(day: int, hour: int) -> dt.datetime:
    return dt.datetime(2026, 11, day, hour, tzinfo=dt.UTC)


def test_a_window_has_a_begin_and_an_end(tmp_path: Path) -> None:
    allow = load(tmp_path).allow
    assert allow is not None
    assert allow.closed(at(28, 21)) == "the window of [allow] begins on 2026-11-28 22:00 UTC"
    assert allow.closed(at(28, 22)) == allow.closed(at(29, 0)) == ""
    assert allow.closed(at(29, 1)) == "the window of [allow] ended on 2026-11-29 02:00 UTC+01:00"


def test_without_the_table_nothing_is_allowed(tmp_path: Path) -> None:
    (tmp_path / "stack.toml").write_text(STACK)
    assert load_profile(tmp_path / "stack.toml").allow is None


@pytest.mark.parametrize(("changed", "says"), [
    ({"effects": '["decoys"]'}, "effects must be a list of reads, dry-run, decoy"),
    ({"effects": "[]"}, "effects must be a list of reads"),
    ({"from": "2026-11-29T03:00:00Z"}, "until must be later than from"),
    ({"until": "2026-11-28T22:00:00Z"}, "until must be later than from"),
    ({"until": "2026-11-29"}, "until must be a time with its offset"),
    ({"until": "2026-11-29T02:00:00"}, "until must be a time with its offset"),
    ({"until": ""}, "until must be a time with its offset"),
    ({"allowed_by": ""}, "allowed_by must be given"),
    ({"reason": '" "'}, "reason must be given"),
    ({"effects": '["load"]'}, "max_rps must be given"),
    ({"effects": '["disrupts"]'}, "max_rps must be given"),
    ({"max_rps": "20.0"}, "max_rps must be left out: load is not allowed"),
    ({"effects": '["load"]', "max_rps": "0"}, "max_rps must be a number above 0"),
    ({"effects": '["load"]', "max_rps": "nan"}, "max_rps must be a number above 0"),
    ({"effects": '["load"]', "max_rps": "inf"}, "max_rps must be a number above 0"),
    ({"approver": '"x"'}, "unknown key 'approver'"),
])  # fmt: skip
def test_what_contradicts_itself_is_refused(tmp_path: Path, changed: dict[str, str], says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(tmp_path, **changed)
    assert says in str(caught.value)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
