"""The reader of the runbook: what is a command, and what a tool's usage line and tree say about it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes.runbook.cobra import arguments_fit
from assay.probes.runbook.reader import Runbook


# Answers as cobra gives them, recorded in miniature: a group, a leaf, a leaf with a choice.
TOOL = """#!/bin/sh
case "$*" in
  "version --client") echo "Tag: v1.13.5" ;;
  "__completeNoDesc etcd ") printf 'status\\nsnapshot\\n:4\\n' ;;
  "__completeNoDesc ") printf 'etcd\\nservice\\nreset\\n:4\\n' ;;
  "__completeNoDesc "*) printf -- '--nodes\\n-n\\n--help\\n:4\\n' ;;
  "--help") printf 'x\\n\\nUsage:\\n  talosctl [command]\\n\\nAvailable Commands:\\n  etcd  x\\n' ;;
  "etcd status --help") printf 'Usage:\\n  talosctl etcd status [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "etcd snapshot --help") printf 'Usage:\\n  talosctl etcd snapshot <path> [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "service --help") printf 'Usage:\\n  talosctl service [<id> [start|stop|restart|status]] [flags]\\n\\nAliases:\\n  service, services\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "services --help") printf 'Usage:\\n  talosctl service [flags]\\n\\nAliases:\\n  service, services\\n' ;;
  "reset --help") printf 'Usage:\\n  talosctl reset [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "etcd"*"--help") printf 'Usage:\\n  talosctl etcd [command]\\n\\nAvailable Commands:\\n  status  x\\n' ;;
esac
"""  # noqa: E501


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    path = tmp_path / "talosctl"
    path.write_text(TOOL, encoding="utf-8")
    path.chmod(0o755)
    return path


def runbook(folder: Path, text: str, tool: Path | None = None) -> Runbook:
    (folder / "runbook.md").write_text(text, encoding="utf-8")
    return Runbook(folder / "runbook.md", talosctl=tool)


def fenced(line: str) -> str:
    return f"# Title\n\n```bash\n{line}\n```\n"


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("talosctl -n <CP_IP> etcd status", ""),
        ("talosctl etcd health", "no such command"),
        ("talosctl etcd restore", "no such command"),
        ("talosctl etcd status --frob", "unknown flag"),
        ("talosctl -n <CP_IP> etcd snapshot", "at least 1"),
        ("talosctl etcd", "no such"),
        ("talosctl -n <CP_IP> etcd snapshot a b", "at most 1"),
        ("talosctl -n <CP_IP> service restart kube-apiserver", "none of start"),
        ("talosctl -n <CP_IP> service kube-apiserver restart", "no such service"),
        ("talosctl -n <CP_IP> service kubelet restart", ""),
        ("talosctl -n <CP_IP> service etcd restart", "refuses"),
        ("talosctl -n <CP_IP> services", ""),
        ("talosctl reset", "with -n"),
        ("talosctl -n <cp> etcd status", "placeholder"),
        ("talosctl -n $(cat ip) etcd status", "command inside"),
        ("argocd app sync x", "no pinned binary"),
        ("umask 077 && export A=b; ls | grep x > out 2>&1", ""),
        ("A=b talosctl etcd health", "no such"),
        ("# talosctl etcd health", ""),
        ("talosctl etcd \\\n  health", "no such command"),
    ],
)
def test_commands_are_judged(tmp_path: Path, tool: Path, line: str, wrong: str) -> None:
    found = runbook(tmp_path, fenced(line), tool).mistakes()
    assert wrong in " ".join(one.why for one in found)
    assert bool(found) is bool(wrong)
    assert {one.ref for one in found} <= {"File runbook.md:4"}


def test_inline_commands_count_and_other_languages_do_not(tmp_path: Path) -> None:
    text = "- **Quorum**: `talosctl etcd health`, see `talosctl`\n\n```yaml\ntalosctl: x\n```\n"
    assert [one.ref for one in runbook(tmp_path, text).commands] == ["File runbook.md:1"]


def test_a_tool_without_a_binary_is_an_error(tmp_path: Path) -> None:
    for tool in (None, tmp_path / "none"):
        with pytest.raises(ProbeError) as caught:
            runbook(tmp_path, fenced("talosctl etcd status"), tool).mistakes()
        assert caught.value.remedy


def test_something_that_is_no_cobra_tool_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="__complete"):
        runbook(tmp_path, fenced("talosctl etcd status"), Path("/bin/true")).mistakes()


@pytest.mark.parametrize(
    "raw",
    [b"```bash\nls\n", b"```bash\nls 'x\n```\n", b"\xff\xfe", b"x" * (10 * 1024 * 1024)],
    ids=itertools.count(),
)
def test_bad_input_is_an_error_with_a_remedy(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "r.md").write_bytes(raw)
    with pytest.raises(ProbeError) as caught:
        _ = Runbook(tmp_path / "r.md").commands
    assert caught.value.remedy


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60))
def test_any_line_is_read_or_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.md").write_bytes(fenced(line).encode("utf-8", "replace"))
    try:
        assert all(one.words for one in Runbook(tmp_path / "r.md").commands)
    except ProbeError as error:
        if not error.remedy:
            raise


@pytest.mark.parametrize(
    ("usage", "arguments", "fits"),
    [
        ("[flags]", [], True),
        ("[flags]", ["x"], False),
        ("<id> [flags]", [], False),
        ("<member ID> [flags]", ["1"], True),
        ("[<id> [start|stop]] [flags]", ["a", "stop"], True),
        ("[<id> [start|stop]] [flags]", ["a", "b"], False),
        ("[<id> [start|stop]] [flags]", ["a", "<ACTION>"], True),
        ("TYPE/NAME [options] PORT [...PORT_N]", ["a", "b", "c"], True),
        ("NODE [options]", ["a", "b"], False),
        ("-f FILENAME [options]", [], True),
    ],
)
def test_usage_lines(usage: str, arguments: list[str], fits: bool) -> None:
    assert (not arguments_fit(usage, arguments)) is fits
