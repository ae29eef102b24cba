"""What apt lists, read; a list without packages is no empty image."""

from pathlib import Path

import pytest

from lab.apt_packages import Deb, DebianError, entries, parse


LISTED = """Reading package lists...
'http://deb.example/d/dash_0.5.12-2_amd64.deb' dash_0.5.12-2_amd64.deb 91848 MD5Sum:4f19
'http://deb.example/l/libpq5_15.20-0%2bdeb12u1_amd64.deb' libpq5_15.20-0+deb12u1_amd64.deb 205248
'http://deb.example/a/attr_1%253a2_all.deb' attr_1%3a2_all.deb 10 SHA256:aa
"""


def test_names_and_versions_are_read_with_and_without_a_digest() -> None:
    """An epoch's colon is written %3a in file names."""
    assert parse(LISTED) == [Deb("attr", "1:2"), Deb("dash", "0.5.12-2"), Deb("libpq5", "15.20-0+deb12u1")]


def test_nothing_listed_is_an_error() -> None:
    """An empty answer of apt must not become an image of nothing."""
    with pytest.raises(DebianError):
        parse("E: Unable to locate package\n")


def test_the_tree_is_merged_and_documentation_left_out(tmp_path: Path) -> None:
    """/bin/x lies in /usr/bin, /bin is a link; documentation does not go in."""
    for name in ("bin/dash", "usr/share/doc/dash/copyright"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("x")
    found = {entry.path: entry.link for entry in entries(tmp_path)}
    assert found["bin"] == "usr/bin"
    assert "usr/bin/dash" in found
    assert not any(path.startswith("usr/share") for path in found)
