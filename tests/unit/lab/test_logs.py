"""Where the logs of requests are said to lie."""

from __future__ import annotations

from pathlib import Path

from lab import logs
from lab.layout import NODES, STATE, controls


def test_every_control_plane_has_an_audit_log_and_every_node_a_log_of_the_talos_api() -> None:
    known = logs.known()
    assert set(known["apiserver_audit"]["files"]) == {node.name for node in controls()}
    assert set(known["talos_api"]["files"]) == {node.name for node in NODES}


def test_every_log_lies_in_the_state_folder_and_says_how_to_read_it() -> None:
    for kind in logs.known().values():
        globs = [glob for several in kind["files"].values() for glob in several]
        assert globs
        assert kind["format"]
        assert all(Path(glob).is_relative_to(STATE) for glob in globs)
