"""Writable places and written files of a node: what Talos has, what a policy allows, and everything else."""

from __future__ import annotations

from typing import Any

import pytest

from assay.errors import ProbeError
from assay.probes.talos.facts import Machine, Mount
from assay.probes.talos.shipped import unexpected_files, unexpected_kubelet_mounts, unexpected_mounts


NODE = Machine("w-1", "10.0.0.9", "worker")
KUBELET = ("/var/lib/longhorn", "/var/mnt/*")
FILES = ("/etc/cri/conf.d/*.part", "/etc/nfsmount.conf")


def kubelet(**mount: object) -> list[str]:
    spec: dict[str, Any] = {"extraMounts": [mount]}
    return [one.why for one in unexpected_kubelet_mounts(NODE, spec, KUBELET)]


def files(document: dict[str, Any]) -> list[str]:
    return [one.why for one in unexpected_files(NODE, [document], FILES)]


def test_user_volumes_and_storage_may_be_written_by_the_kubelet() -> None:
    assert not kubelet(destination="/var/lib/longhorn", source="/var/lib/longhorn", options=["bind", "rw"])
    assert not kubelet(destination="/var/mnt/data", source="/var/mnt/data", options=["rw"])
    assert not kubelet(destination="/opt/x", source="/opt/x", options=["bind", "ro"])


@pytest.mark.parametrize("place", ["/var/lib/kubelet-extra", "/etc", "/var/mnt/../../etc", "/"])
def test_other_places_may_not(place: str) -> None:
    assert kubelet(destination=place, source=place) == [f"kubelet extra mount {place} is writable"]


def test_a_volume_that_leads_elsewhere_is_seen() -> None:
    assert kubelet(destination="/var/mnt/data", source="/etc/kubernetes") == [
        "kubelet extra mount /var/mnt/data is writable and leads to /etc/kubernetes"
    ]


def test_files_of_1_13_and_of_1_14() -> None:
    part = "/etc/cri/conf.d/20-customization.part"
    assert not files({"machine": {"files": [{"path": part, "op": "create"}]}})
    assert not files({"machine": {"files": [{"path": "/var/lib/x", "op": "create"}]}})
    assert not files({"kind": "CRICustomizationConfig", "name": "20-customization"})
    assert not files({"kind": "EtcFileConfig", "name": "nfsmount.conf"})
    assert files({"machine": {"files": [{"path": "/etc/pam.d/login", "op": "create"}]}}) == [
        "machine.files: create /etc/pam.d/login"
    ]
    assert files({"machine": {"files": [{"path": "/var/x", "op": "overwrite"}]}}) == [
        "machine.files: overwrite /var/x"
    ]
    assert files({"kind": "EtcFileConfig", "name": "ssh/sshd_config"}) == [
        "EtcFileConfig: writes /etc/ssh/sshd_config"
    ]
    assert files({"kind": "EtcFileConfig", "name": "../usr/bin/x"}) == [
        "EtcFileConfig: writes /etc/../usr/bin/x"
    ]


def test_a_configuration_in_another_shape_is_an_error() -> None:
    with pytest.raises(ProbeError):
        files({"machine": {"files": "all of them"}})


def test_a_writable_root_and_a_writable_mount_are_seen() -> None:
    root, etc = Mount("/", "squashfs", "/dev/loop0", False), Mount("/usr/local", "ext4", "/dev/vda", True)
    assert [one.why for one in unexpected_mounts(NODE, [root, etc], ("/var",))] == [
        "/usr/local is writable (ext4)"
    ]
    assert not list(unexpected_mounts(NODE, [root, Mount("/var/x", "xfs", "/dev/vdb", True)], ("/var",)))
    assert [one.why for one in unexpected_mounts(NODE, [Mount("/", "ext4", "/", True)], ())] == [
        "the root file system is writable"
    ]
    assert [one.why for one in unexpected_mounts(NODE, [], ())] == ["no root file system in the mount table"]
