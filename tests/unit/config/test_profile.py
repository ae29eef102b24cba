"""Profiles: what is read, and what is refused in one line with a remedy."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.config.loader import load_profile
from assay.config.platform import Service
from assay.config.profile import Waiver
from assay.errors import ProbeError, ProfileError
from assay.model import Override


STACK = '[stack]\nname = "x"\nkind = "lab"\n'
WAIVER = (
    '[[waivers]]\ncontrol="NET-01"\nscope="*"\nreason="r"\napprover="a"\ncreated=2026-01-01\nexpires={}\n'
)


def load(folder: Path, text: str) -> object:
    path = folder / "stack.toml"
    path.write_text(text)
    return load_profile(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "name must be given", id="empty"),
        pytest.param("[stack", "not valid TOML", id="no-toml"),
        pytest.param(
            '[stack]\nname="x"\nkind="laboratory"', "kind must be one of lab, staging, production", id="kind"
        ),
        pytest.param(STACK + "[kub]\n", "unknown key 'kub' - did you mean kube?", id="section"),
        pytest.param(
            STACK + '[kube]\nkubeconfg="x"', "unknown key 'kubeconfg' - did you mean kubeconfig?", id="key"
        ),
        pytest.param(STACK + "[kube]\nkubeconfig=3", "kubeconfig must be text", id="type"),
        pytest.param(STACK + "[scope]\ncontrols=[]", "at least one control", id="scope-empty"),
        pytest.param(
            STACK + '[scope]\ncontrols=["NET-01"]\ntested_only=true', "at least one", id="scope-both"
        ),
        pytest.param(STACK + '[scope]\ncontrols=["sec2"]', "'sec2' is no control id", id="scope-id"),
        pytest.param(STACK + '[controls."ACC-01"]\np="9"', "p must be a number", id="override-text"),
        pytest.param(STACK + '[controls."ACC-01"]\np=nan', "finite", id="override-nan"),
        pytest.param(STACK + '[controls."ACC"]\np=9', "'ACC' is no control id", id="override-id"),
        pytest.param(STACK + '[declared]\n"ACC-01.p"=9', "metric under [controls.ID]", id="moved"),
        pytest.param(STACK + "[platform]\ndeployr=[]", "did you mean deployer?", id="platform-key"),
        pytest.param(STACK + '[[platform.services]]\nowns=["x"]', "name must be given", id="service-name"),
        pytest.param(STACK + '[[platform.services]]\nname="x"\nrpo_s="1"', "a number", id="service-rpo"),
        pytest.param(STACK + '[[platform.stateless]]\nmatch="x"', "reason must be given", id="no-reason"),
        pytest.param(STACK + WAIVER.format("2026-04-02"), "at most 90 days", id="waiver-long"),
        pytest.param(STACK + WAIVER.format('"2026-02-01"'), "a date such as", id="waiver-text"),
        pytest.param(
            STACK + WAIVER.format("2025-12-31"), "at most 90 days after created", id="waiver-before"
        ),
        pytest.param(STACK + "standins = 3\n", "unknown key 'standins'", id="stray"),
        pytest.param("standins = 3\n" + STACK, "standins must be a list of tables", id="no-list"),
        pytest.param("x = " + "[" * 5000, "not valid TOML", id="deep"),
        pytest.param("#" * 1_000_001, "more than 1000000", id="huge"),
    ],
)
def test_a_bad_profile_is_one_line_with_a_remedy(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load(tmp_path, text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile(tmp_path / "none.toml")


def test_paths_start_at_the_profile_and_variables_stand_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/k/one:/k/two")
    (tmp_path / "s.toml").write_text(STACK + '[paths]\ninfra = "../infra"\n')
    profile = load_profile(tmp_path / "s.toml")
    assert profile.paths.infra == (tmp_path / "../infra",)
    assert profile.kube.kubeconfig == Path("/k/one")


def test_a_tool_is_the_one_on_path_unless_another_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("age", "sops"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "s.toml").write_text(STACK + '[tools]\nkubectl = "/pinned/kubectl"\n')
    profile = load_profile(tmp_path / "s.toml")
    assert profile.tools.age == tmp_path / "age"
    assert profile.tools.kubectl == Path("/pinned/kubectl")
    assert profile.tools.talosctl is None
    assert profile.sops.binary == tmp_path / "sops"


def test_a_missing_credential_is_an_error_that_names_the_key(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(STACK + '[etcd]\nca = "none.pem"\n')
    profile = load_profile(tmp_path / "s.toml")
    with pytest.raises(ProbeError, match=r"etcd.ca: none.pem is missing"):
        profile.need_path("etcd.ca")
    with pytest.raises(ProbeError, match=r"the profile does not say etcd.key"):
        profile.need_path("etcd.key")


def test_a_waiver_holds_on_both_its_days() -> None:
    first, last = datetime.date(2026, 1, 1), datetime.date(2026, 1, 31)
    waiver = Waiver("NET-01", "Pod shop/*", "r", "a", first, last)
    day = datetime.timedelta(days=1)
    assert [waiver.holds(when) for when in (first - day, first, last, last + day)] == [
        False,
        True,
        True,
        False,
    ]
    assert waiver.covers("Pod shop/x")
    assert not waiver.covers("Pod edge/x")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_profile_or_one_line(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("p") / "s.toml"
    path.write_bytes(raw)
    with pytest.raises(ProfileError):
        load_profile(path)


@given(st.text(alphabet='[]=".\n\t #abckubestname', max_size=200))
def test_any_tail_is_a_profile_or_one_line(tmp_path_factory: pytest.TempPathFactory, tail: str) -> None:
    path = tmp_path_factory.mktemp("p") / "s.toml"
    path.write_text(STACK + tail)
    try:
        assert load_profile(path).name == "x"
    except ProfileError as problem:
        assert problem.remedy  # noqa: PT017 - either outcome is right


PLATFORM = """
[platform]
deployer = ["argocd-controller"]

[platform.pools]
label = "pool"
names = ["db"]
taints = { db = "dedicated" }

[platform.vault]
config = "../vault"

[[platform.services]]
name = "db"
owns = ["* data/*"]
rpo_s = 60

[[platform.stateless]]
match = "Pod kube-system/*"
reason = "caches"

[controls."SEC-28"]
scripts = ["run/*"]
late = 3
"""


def test_the_platform_names_its_own_things(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(STACK + PLATFORM)
    profile = load_profile(tmp_path / "s.toml")
    platform = profile.platform
    assert platform.owner("StatefulSet data/pg") == platform.service("db")
    assert platform.owner("StatefulSet other/pg") is None
    assert platform.holder("db").rpo_s == 60.0
    assert (platform.holder("etcd").backup, platform.holder("queue").rpo_s) == ("etcd-snapshot", None)
    assert platform.made_by("pgbackrest", "barman") == ()
    assert platform.stateless[0].covers("Pod kube-system/kube-proxy-x")
    assert platform.namespaces.privileged == ("kube-system",)
    assert platform.pools.taints == {"db": "dedicated"}
    assert platform.vault.config == tmp_path / "../vault"
    assert profile.override("SEC-28") == Override({"late": 3.0}, {"scripts": ("run/*",)})
    assert profile.override("SEC-27") == Override()


@pytest.mark.parametrize(("text", "says"), [
    ('[[platform.services]]\nname="a"\nbackup="tape"', "a: backup must be one of etcd-snapshot"),
    ('[[platform.services]]\nname="a"\n[[platform.services]]\nname="a"', "a is declared twice"),
    ('[platform]\npod_roles=["os:admin"]', "pod_roles must not hold os:admin"),
    ('[platform]\npod_roles=["os:reader", "os:impersonator"]', "must not hold os:impersonator"),
])  # fmt: skip
def test_what_no_platform_may_declare_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ProfileError, match=re.escape(says)):
        load(tmp_path, STACK + text)


def test_the_service_of_etcd_is_known_by_how_it_is_backed_up(tmp_path: Path) -> None:
    rows = '[[platform.services]]\nname="db"\n[[platform.services]]\nname="control"\nbackup="etcd-snapshot"\n'
    (tmp_path / "stack.toml").write_text(STACK + rows)
    assert load_profile(tmp_path / "stack.toml").platform.etcd.name == "control"
    (tmp_path / "stack.toml").write_text(STACK)
    assert load_profile(tmp_path / "stack.toml").platform.etcd == Service("etcd", backup="etcd-snapshot")
