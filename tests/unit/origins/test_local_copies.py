"""Credentials left on a machine, offline: what makes one, what destroys it, where a tool puts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.errors import ProbeError
from assay.origins.local_copies import in_documents
from assay.probes.runbook.reader import Runbook


# Answers as cobra gives them, recorded in miniature.
TOOL = """#!/bin/sh
nodes='  -n, --nodes strings   target the specified nodes\\n'
case "$*" in
  "__completeNoDesc ") printf 'kubeconfig\\ngen\\nconfig\\n:4\\n' ;;
  "__completeNoDesc gen ") printf 'config\\n:4\\n' ;;
  "__completeNoDesc config ") printf 'new\\nmerge\\nview\\nendpoint\\n:4\\n' ;;
  "__completeNoDesc "*) printf -- '--nodes\\n-n\\n:4\\n' ;;
  "--help"|"gen --help"|"config --help") printf 'Available Commands:\\n  x  x\\n' ;;
  "kubeconfig --help") printf "Flags:\\n  -f, --force   x\\n  -m, --merge   x (default true)\\n$nodes" ;;
  "gen config --help") printf "Flags:\\n  -o, --output string   x\\n  -t, --output-types strings   x\\n" ;;
  "config view --help") printf "Options:\\n    --raw=false:\\n" ;;
  *) printf "Flags:\\n$nodes" ;;
esac
"""
LEFT, MERGED = "left behind", "merged"


def found(folder: Path, text: str) -> list[str]:
    tool = folder / "tool"
    tool.write_text(TOOL, encoding="utf-8")
    tool.chmod(0o755)
    (folder / "r.md").write_text(text, encoding="utf-8")
    return [str(one) for one in in_documents(Runbook(folder / "r.md", talosctl=tool, kubectl=tool))]


def section(*lines: str) -> str:
    return "\n".join(["# Title", "", "## Section", "", "```bash", *lines, "```", ""])


@pytest.mark.parametrize(("lines", "says"), [
    (["age --decrypt --identity ./key ./t.age > ./talosconfig"], LEFT),
    (["age --decrypt --identity ./key --output ./talosconfig ./t.age"], LEFT),
    (["age --decrypt --output=./talosconfig ./t.age"], LEFT),
    (["cp ./escrow/kubeconfig ./kubeconfig"], LEFT),
    (["cp ./escrow/kubeconfig ."], "kubeconfig is left behind"),
    (["cp -p ./escrow/kubeconfig ./plain"], "plain is left behind"),
    (["rclone copyto store:kit/kubeconfig ./k"], "k is left behind"),
    (["kubectl config view --raw | tee kubeconfig"], LEFT),
    (["kubectl config view --raw > ./k"], "k is left behind"),
    (["vault kv get -field=value kv/admin > kubeconfig"], LEFT),
    (["talosctl kubeconfig ./bg/kubeconfig --merge=false", "shred -u ./bg"], "bg/kubeconfig is left behind"),
    (["talosctl kubeconfig --nodes ./k2 ./k --merge=false", "shred ./k2"], "k is left behind"),
    (["talosctl kubeconfig --merge=false"], "kubeconfig is left behind"),
    (["talosctl kubeconfig - --merge=false > ./k"], "k is left behind"),
    (["talosctl -n a gen config c https://c:6443"], "talosconfig is left behind"),
    (["talosctl gen config c https://c:6443 -t talosconfig -o ./t"], "t is left behind"),
    (["talosctl config new --nodes a ./t"], "t is left behind"),
    (["talosctl kubeconfig ./k"], MERGED),
    (["talosctl kubeconfig ./k --merge false"], MERGED),
    (["talosctl config merge ./t"], MERGED),
    (["cp a ~/.kube/config"], "home folder"),
    (["shred -u ./kubeconfig", "cp ./escrow/kubeconfig ./kubeconfig"], LEFT),
])  # fmt: skip
def test_what_leaves_a_credential_behind(tmp_path: Path, lines: list[str], says: str) -> None:
    assert any(says in one for one in found(tmp_path, section(*lines)))


@pytest.mark.parametrize("lines", [
    ["cp ./escrow/kubeconfig ./kubeconfig", "shred -u ./kubeconfig"],
    ["cp ./escrow/kubeconfig .", "shred -u kubeconfig"],
    ["talosctl -n a kubeconfig ./bg/kubeconfig --merge=false --force", "shred -u ./bg/kubeconfig"],
    ["talosctl kubeconfig ./k --merge=false", "mv ./k ./kubeconfig", "shred -u ./kubeconfig"],
    ["talosctl gen config c https://c:6443 --output-types talosconfig --output ./t", "shred -u ./t"],
    ["talosctl kubeconfig - --merge=false"],
    ["talosctl config endpoint a", "kubectl config view", "export KUBECONFIG=./kubeconfig"],
    ["kubectl get secret admin -o jsonpath={.data.kubeconfig}", "cp ./a ./b", "kubectl get pods > ./pods"],
])  # fmt: skip
def test_what_leaves_none(tmp_path: Path, lines: list[str]) -> None:
    assert found(tmp_path, section(*lines)) == []


def test_commands_before_the_first_heading_count(tmp_path: Path) -> None:
    text = "# Title\n\n```bash\ncp ./escrow/kubeconfig ./kubeconfig\n```\n\n## Section\n"
    assert found(tmp_path, text) == [
        "File r.md:4: kubeconfig is left behind: shred it at the end of the section"
    ]


def test_a_tool_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "r.md").write_text(section("talosctl kubeconfig ./k --merge=false"), encoding="utf-8")
    with pytest.raises(ProbeError, match="no binary of talosctl"):
        in_documents(Runbook(tmp_path / "r.md"))
