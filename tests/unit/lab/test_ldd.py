from __future__ import annotations

from pathlib import Path

import pytest

from lab.ldd import MissingLibraryError, needed, read


LISTED = """\
\tlinux-vdso.so.1 (0x00007ffc)
\tlibmnl.so.0 => /lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f1)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f2)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)
"""


def test_libraries_and_the_loader() -> None:
    paths = [str(path) for path in read(LISTED, "nft")]
    lib = "/lib/x86_64-linux-gnu"
    assert paths == [f"{lib}/libmnl.so.0", f"{lib}/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]


def test_a_missing_library_is_refused_by_name() -> None:
    with pytest.raises(MissingLibraryError, match=r"nft.*libmnl\.so\.0"):
        read(LISTED.replace("/lib/x86_64-linux-gnu/libmnl.so.0 (0x00007f1)", "not found"), "nft")


def test_a_static_program_needs_none() -> None:
    assert read("\tstatically linked\n", "pause") == []


def test_a_real_program() -> None:
    assert any("libc" in path.name for path in needed(Path("/bin/ls")))


def test_a_script_needs_none_and_no_file_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    assert needed(script) == []
    with pytest.raises(MissingLibraryError, match="not installed"):
        needed(tmp_path / "absent")
