from __future__ import annotations

import time
from pathlib import Path

import pytest

from assay.errors import ProbeError
from assay.formats.tools import run_tool, tool_environment


def test_a_result_holds_the_code_and_both_outputs() -> None:
    done = run_tool(["sh", "-c", "cat; echo wrong >&2; exit 3"], 10, "sh", stdin=b"given")
    assert (done.code, done.text, done.error_text, done.last_line) == (3, "given", "wrong\n", "wrong")
    assert "given" not in repr(done), "what a tool printed may be a secret"


def test_no_variable_of_the_suite_reaches_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAULT_TOKEN", "planted-token")
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    seen = run_tool(["env"], 10, "env").text
    assert "planted-token" not in seen
    assert "GIT_DIR" not in seen
    assert "PATH=" in seen
    assert "MINE=1" in run_tool(["env"], 10, "env", env=tool_environment(MINE="1")).text


def test_a_tool_that_is_not_there_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="asking: absent does not run: No such file") as caught:
        run_tool([tmp_path / "absent"], 10, "asking", remedy="install it")
    assert caught.value.remedy == "install it"


def test_after_its_time_a_tool_ends_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    start = time.monotonic()
    with pytest.raises(ProbeError, match="sh: no end after 1 s"):
        run_tool(["sh", "-c", f"sleep 60 & echo $! > {note}; wait"], 1.0, "sh")
    assert time.monotonic() - start < 20
    for _ in range(100):
        if not Path(f"/proc/{note.read_text().strip()}").exists() or ended(int(note.read_text())):
            return
        time.sleep(0.05)
    pytest.fail("what the tool started is still there")


def ended(pid: int) -> bool:
    """Return whether a process is gone or a zombie that nobody has waited for yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state in {"Z", "X"}


def test_output_goes_to_a_file_where_one_is_given(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        done = run_tool(["sh", "-c", "echo big; echo small >&2"], 10, "sh", stdout=out)
    assert (done.out, done.err) == (b"", b"small\n")
    assert (tmp_path / "out").read_bytes() == b"big\n"


def test_a_tool_that_never_reads_its_input_is_no_crash() -> None:
    assert run_tool(["true"], 10, "true", stdin=b"x" * 1_000_000).code == 0
