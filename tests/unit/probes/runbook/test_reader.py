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
from tests.unit.support.trees import whole


# Answers as cobra gives them, recorded in miniature: a group, a leaf, a leaf with a choice.
TOOL = """#!/bin/sh
case "$*" in
  "version --client") echo "Tag: v1.13.5" ;;
  "__completeNoDesc etcd ") printf 'status\\nsnapshot\\n:4\\n' ;;
  "__completeNoDesc ") printf 'etcd\\nservice\\nreset\\n:4\\n' ;;
  "__completeNoDesc "*) printf -- '--nodes\\n-n\\n--help\\n:4\\n' ;;
  "--help") printf 'x\\n\\nUsage:\\n  talosctl [command]\\n\\nAvailable Commands:\\n  etcd  x\\n' ;;
  "etcd status --help") printf 'Usage:\\n  talosctl etcd status [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "etcd status --old=x --help") echo 'invalid argument "x" for "--old"' >&2; exit 1 ;;
  *"=x --help") echo "unknown flag" >&2; exit 1 ;;
  "etcd snapshot --help") printf 'Usage:\\n  talosctl etcd snapshot <path> [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "service --help") printf 'Usage:\\n  talosctl service [<id> [start|stop|restart|status]] [flags]\\n\\nAliases:\\n  service, services\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "services --help") printf 'Usage:\\n  talosctl service [flags]\\n\\nAliases:\\n  service, services\\n' ;;
  "reset --help") printf 'Usage:\\n  talosctl reset [flags]\\n\\nFlags:\\n  -n, --nodes strings   x\\n' ;;
  "etcd"*"--help") printf 'Usage:\\n  talosctl etcd [command]\\n\\nAvailable Commands:\\n  status  x\\n' ;;
esac
"""


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
        ("talosctl -n <cp> etcd status", ""),
        ("talosctl -n $(cat ip) etcd status", ""),
        ("echo $(talosctl etcd health)", "no such command"),
        ("echo `talosctl etcd health`", "no such command"),
        ("argocd app sync x", ""),
        ("sudo -u root talosctl etcd health", "no such command"),
        ("KUBECONFIG=k timeout 5 talosctl etcd health", "no such command"),
        ("watch -n 5 'talosctl etcd health'", "no such command"),
        ("for n in a b; do talosctl -n $n etcd health; done", "no such command"),
        ("if talosctl etcd health; then echo ok; fi", "no such command"),
        ("talosctl etcd status --old", ""),
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
        page = runbook(tmp_path, fenced("talosctl etcd status"), tool)
        with pytest.raises(ProbeError) as caught:
            whole(page, page.mistakes())
        assert caught.value.remedy


def test_something_that_is_not_a_cobra_tool_is_an_error(tmp_path: Path) -> None:
    page = runbook(tmp_path, fenced("talosctl etcd status"), Path("/bin/true"))
    with pytest.raises(ProbeError, match="__complete"):
        whole(page, page.mistakes())


QUOTED = "> ```bash\n> talosctl etcd health\n> ```\n"
INDENTED = "1. Take it away:\n\n        talosctl etcd health\n"
TERMINAL = (
    "```console\n[root@ops ~]# talosctl etcd health\nno such command\n```\n",
    "```console\n(venv) me@ops ~/infra % talosctl etcd health\n```\n",
    "```console\nPS C:\\Users\\me> talosctl etcd health\n```\n",
    "```console\n\u276f talosctl etcd health\n```\n",
    "```console\ntalosctl etcd health\n```\n",
)
REMARK = "```console\n# talosctl etcd health\nno such command\n$ talosctl etcd status\nok: 'it's fine\n```\n"
TEXT = "```text\ntree/\n  it's a tree\ntalosctl etcd health\n```\n"
HTML = "<pre>\ntalosctl etcd health\n</pre>\n"
ITEM = "- Look:\n\n  ```sh\n  talosctl etcd health\n  ```\n"
TABLE = "| what | how |\n|---|---|\n| quorum | `talosctl etcd health` |\n"
DOCUMENT = "```bash\ncat <<'EOF' > x\nit's talosctl etcd nonsense\nEOF\ntalosctl etcd health\n```\n"
QUOTES = "```bash\necho 'one\ntwo'\ntalosctl etcd health\n```\n"
EXECUTED = "```bash\nkubectl -n a exec b -- talosctl etcd health\n```\n"


@pytest.mark.parametrize(("text", "line"), [
    (QUOTED, 2), (INDENTED, 3), (REMARK, 2), *((one, 2) for one in TERMINAL), (TEXT, 4), (HTML, 2), (ITEM, 4), (TABLE, 3), (DOCUMENT, 5), (QUOTES, 4),
    (EXECUTED, 2), ("Run `sudo talosctl etcd health` now.\n", 1), ("One\ntwo `talosctl etcd health`\n", 2),
])  # fmt: skip
def test_a_command_is_found_wherever_it_stands(tmp_path: Path, tool: Path, text: str, line: int) -> None:
    page = runbook(tmp_path, text, tool)
    found = [one.ref for one in page.mistakes()]
    assert found == [f"File runbook.md:{line}"]
    assert not [place for place in page.gaps.unread if "kubectl" not in place]


@pytest.mark.parametrize("text", [
    "```\ntree\n|-- it's a tree\n```\n", "```yaml\nkubectl: 'x\n```\n", "    a: it's text\n",
    "Use `kubectl apply -k` or `talosctl`.\n", "```console\nNAME  READY\nit's  1/1\n```\n",
])  # fmt: skip
def test_what_is_not_a_command_is_left_alone(tmp_path: Path, tool: Path, text: str) -> None:
    page = runbook(tmp_path, text, tool)
    assert not [one for one in page.commands if not one.mentioned]
    assert not page.gaps.unread


def test_a_line_that_cannot_be_split_costs_that_line_and_a_section_that_is_carried_out(
    tmp_path: Path, tool: Path
) -> None:
    text = "## One\n\n```bash\ntalosctl etcd health 'x\ntalosctl etcd health\n```\n\n## Two\n\n```bash\nls\n```\n"
    page = runbook(tmp_path, text, tool)
    assert [one.ref for one in page.mistakes()] == ["File runbook.md:5"]
    assert list(page.gaps.unread) == ["File runbook.md:4"]
    assert [one.words for one in page.section("Two")] == [("ls",)]
    with pytest.raises(ProbeError, match="cannot be split"):
        page.section("One")


def test_a_mention_may_leave_out_what_a_command_needs(tmp_path: Path, tool: Path) -> None:
    assert runbook(tmp_path, "See `talosctl etcd snapshot`.\n", tool).mistakes() == []
    assert runbook(tmp_path, "See `talosctl etcd snapshto x`.\n", tool).mistakes()


def test_tools_without_a_binary_are_counted(tmp_path: Path, tool: Path) -> None:
    page = runbook(
        tmp_path, fenced("argocd app sync a; argocd app get a | grep x; helm ls; talosctl etcd status"), tool
    )
    assert page.unjudged() == {"argocd": 2, "helm": 1}
    assert [one.tool for one in page.judged()] == ["talosctl"]


def test_a_further_tool_is_judged_by_its_tree_or_its_help(tmp_path: Path, tool: Path) -> None:
    other = tmp_path / "other"
    other.write_text('#!/bin/sh\necho "Usage: other [sync|get] --app NAME"\n')
    other.chmod(0o755)
    (tmp_path / "runbook.md").write_text(
        fenced(
            "other sync --app x; other snyc --app x; other get --nope; tree etcd health; kubectl etc status --nope"
        )
    )
    more = {"other": other, "tree": tool, "kubectl-etc": other}
    page = Runbook(tmp_path / "runbook.md", more=more)
    assert [one.why for one in page.mistakes()] == [
        "other snyc: other has no such command", "other has no flag --nope",
        "tree etcd health: no such command; it prints help and exits 0",
        "kubectl-etc status: kubectl-etc has no such command", "kubectl-etc has no flag --nope",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [b"```bash\nls\n", b"\xff\xfe", b"x" * (10 * 1024 * 1024)],
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
