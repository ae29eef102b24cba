"""Parsers of talosctl's output: recorded answers of a real node, and everything strange they must refuse."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.probes.talos import facts


MEMBERS = """\
NODE         ID                 HOSTNAME   PEER URLS                 CLIENT URLS               LEARNER
10.98.0.11   75743fbb031d2570   cp-2       https://10.98.0.12:2380   https://10.98.0.12:2379   false
10.98.0.11   b73f4db20ce11bb5   cp-3       https://10.98.0.13:2380   https://10.98.0.13:2379   false
10.98.0.11   d6e0297320720072   cp-1       https://10.98.0.11:2380   https://10.98.0.11:2379   false
"""
LEARNER = """\
NODE         ID                 HOSTNAME   PEER URLS                 CLIENT URLS               LEARNER
10.98.0.11   10743fbb031d2570              https://10.98.0.99:2380                             true
10.98.0.11   d6e0297320720072   cp-1       https://10.98.0.11:2380   https://10.98.0.11:2379   false
"""
STATUS = """\
NODE         MEMBER             DB SIZE   IN USE             LEADER             RAFT INDEX   RAFT TERM   RAFT APPLIED INDEX   LEARNER   PROTOCOL   STORAGE   ERRORS
10.98.0.11   d6e0297320720072   2.7 MB    2.7 MB (100.00%)   d6e0297320720072   2327         2           2327                 false     3.6.10     3.6.0
"""  # noqa: E501 - as recorded
VERSION = '{"metadata":{"hostname":"10.98.0.11"}, "version":{"tag":"v1.13.5"}, "features":{"rbac":true}}'
SOCKETS = """\
Proto   Recv-Q   Send-Q   Local Address        Foreign Address   State
tcp     0        0        127.0.0.1:7445       0.0.0.0:*         LISTEN
tcp     0        0        169.254.116.108:53   0.0.0.0:*         LISTEN
tcp6    0        0        :::50000             :::*              LISTEN
"""
MOUNTINFO = """\
230 159 254:0 /var/lib/rootfs / ro,relatime shared:240 - ext4 /dev/vda rw,discard
231 230 0:56 / /run rw,relatime shared:241 - tmpfs tmpfs rw,mode=755
77 230 0:119 /cri.toml /etc/cri/conf.d/cri.toml ro,relatime shared:272 - tmpfs none rw,size=8192k,mode=755
78 230 0:120 / /mnt/with\\040space rw,relatime - xfs /dev/vdb ro
"""


def test_members_as_recorded() -> None:
    """Three voters, by name."""
    rows = facts.members(MEMBERS, "t")
    assert [(row.name, row.learner) for row in rows] == [("cp-2", False), ("cp-3", False), ("cp-1", False)]
    assert rows[0].peers == ("https://10.98.0.12:2380",)


def test_unstarted_learner_keeps_its_columns() -> None:
    """Empty cells do not shift the ones after them."""
    learner = facts.members(LEARNER, "t")[0]
    assert (learner.name, learner.clients, learner.learner) == ("", (), True)
    assert learner.ref == "EtcdMember 10743fbb031d2570"


def test_status_as_recorded() -> None:
    """A row without errors has an empty last cell."""
    (row,) = facts.statuses(STATUS, "t", "cp-1")
    assert (row.index, row.applied, row.led, row.errors) == (2327, 2327, True, ())


def test_status_of_a_lost_quorum() -> None:
    """Leader zero and the error are both seen."""
    text = (
        STATUS.replace("(100.00%)   d6e0297320720072", "(100.00%)   0000000000000000").rstrip("\n")
        + "     no leader\n"
    )
    (row,) = facts.statuses(text, "t", "cp-1")
    assert not row.led
    assert row.errors == ("no leader",)


@pytest.mark.parametrize(
    "text", [MEMBERS.replace("LEARNER", "ROLE"), MEMBERS.replace("false", "maybe"), "ID   HOSTNAME\n1   a\n"]
)
def test_other_tables_are_refused(text: str) -> None:
    """An unknown shape is an error."""
    with pytest.raises(ProbeError):
        facts.members(text, "t")


def test_version_as_recorded() -> None:
    """Tag and role check."""
    assert facts.version(VERSION, "t") == facts.TalosVersion("v1.13.5", True)
    with pytest.raises(ProbeError):
        facts.version("", "t")
    with pytest.raises(ProbeError):
        facts.version(VERSION + VERSION, "t")


def test_listeners_as_recorded() -> None:
    """IPv6 addresses have colons of their own."""
    assert [row.port for row in facts.listeners(SOCKETS, "t")] == [7445, 53, 50000]


def test_mounts_as_recorded() -> None:
    """Read-only counts from the mount and from the file system; escaped blanks are blanks."""
    rows = facts.mounts(MOUNTINFO, "t")
    assert [(row.point, row.writable) for row in rows] == [
        ("/", False), ("/run", True), ("/etc/cri/conf.d/cri.toml", False), ("/mnt/with space", False),
    ]  # fmt: skip
    with pytest.raises(ProbeError):
        facts.mounts("", "t")
    with pytest.raises(ProbeError):
        facts.mounts("one two three", "t")


def test_machineconfig_of_several_documents() -> None:
    """The spec is YAML text with many documents."""
    text = "version: v1alpha1\nmachine: {type: worker}\n---\nkind: HostnameConfig\nhostname: a\n"
    assert [sorted(d) for d in facts.machineconfig({"spec": text}, "t")] == [
        ["machine", "version"],
        ["hostname", "kind"],
    ]
    for bad in ({"spec": {}}, {"spec": ""}, {"spec": "a: [\n"}, {"spec": "- 1\n"}):
        with pytest.raises(ProbeError):
            facts.machineconfig(bad, "t")


@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(), max_size=3), max_size=5),
    st.sampled_from(["", "\n", "  \n"]),
)
def test_documents_come_back(objects: list[dict[str, int]], between: str) -> None:
    """Whatever objects are printed one after the other are read one after the other."""
    assert facts.talos_documents(between.join(json.dumps(o, indent=4) for o in objects), "t") == objects


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No parser ever ends in anything but rows or a ProbeError."""
    for parse in (
        facts.members,
        lambda text, what: facts.statuses(text, what, "cp-1"),
        facts.alarms,
        facts.listeners,
        facts.mounts,
        facts.version,
        facts.talos_documents,
    ):
        try:
            parse(text, "t")
        except ProbeError:
            continue


CELL = st.text("abcdefghij0123456789:/.", min_size=0, max_size=12)


@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=6))
def test_tables_come_back(rows: list[tuple[str, str, str]]) -> None:
    """What Go's tabwriter lays out is cut apart again, empty cells included."""
    header = ("ONE", "TWO WORDS", "LAST")
    widths = [max(len(h), *(len(row[i]) for row in rows)) + 3 for i, h in enumerate(header)]
    lines = [
        "".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (header, *rows)
    ]
    kept = [row for row in rows if any(row)]
    assert [tuple(row.values()) for row in facts.table("\n".join(lines), header, "t")] == kept
