"""What a reader of many files does not read: each file costs itself, and the evidence says so."""

from __future__ import annotations

from pathlib import Path

from assay.config.paths import Paths
from assay.config.platform import Exemption
from assay.config.trees import SourceTree, Trees, chart_of, source_trees
from assay.errors import ProbeError
from assay.gaps import Gaps, gaps_of
from assay.probes.gitops.manifests import Manifests, holds
from tests.unit.support.trees import tree


def test_a_part_that_cannot_be_read_is_noted_once_and_the_others_go_on() -> None:
    gaps = Gaps()
    for number in range(3):
        with gaps.part(f"File {number % 2}"):
            raise ProbeError(f"{number}: broken", "fix it")
    assert [str(one) for one in gaps.unread.values()] == ["0: broken - fix it", "1: broken - fix it"]
    assert str(gaps.nothing_left("gitops", "look")) == "0: broken - fix it"
    assert "nothing to judge" in str(Gaps().nothing_left("gitops", "look"))


def test_gaps_are_found_in_readers_and_in_tuples_of_them(tmp_path: Path) -> None:
    manifests = Manifests([tree(tmp_path)])
    assert gaps_of(["text", manifests, (manifests, 3)]) == [manifests.gaps, manifests.gaps]


def test_the_evidence_says_what_was_left_out() -> None:
    gaps = Gaps(
        excluded={f"a/{n}.yaml": "vendored" for n in range(7)}, not_rendered={"c/templates/x.yaml": "c"}
    )
    assert dict(gaps.notes()) == {
        "excluded: vendored": "7 files: a/0.yaml, a/1.yaml, a/2.yaml, a/3.yaml, a/4.yaml, ...",
        "not rendered, so not judged: c": "1 files: c/templates/x.yaml",
    }


def test_trees_of_one_name_are_told_apart_by_the_folders_above(tmp_path: Path) -> None:
    one, two = source_trees([tmp_path / "a" / "gitops", tmp_path / "b" / "gitops"])
    assert (one.label, two.label) == ("a/gitops", "b/gitops")
    assert one.ref(tmp_path / "a" / "gitops" / "x.yaml", 3) == "File a/gitops/x.yaml:3"
    (single,) = source_trees([tmp_path / "a" / "gitops"])
    assert single.label == "gitops"


def test_files_of_the_only_repository_go_by_their_path(tmp_path: Path) -> None:
    assert [one.label for one in Trees(Paths(repositories=(tmp_path,))).repositories] == [""]
    both = Trees(Paths(repositories=(tmp_path / "a", tmp_path / "b"))).repositories_or_none()
    assert [one.label for one in both] == ["a", "b"]


def test_excluded_files_are_not_read(tmp_path: Path) -> None:
    for name in ("vendor/a.yaml", "apps/b.yaml"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("a: 1\n")
    gaps = Gaps()
    kept = SourceTree(tmp_path, "gitops", (Exemption("gitops/vendor/*", "upstream"),))
    assert [file.name for file in kept.files(gaps)] == ["b.yaml"]
    assert gaps.excluded == {"gitops/vendor/a.yaml": "upstream"}


def test_a_template_of_a_chart_is_known_by_the_chart_beside_it(tmp_path: Path) -> None:
    chart = tmp_path / "charts" / "web"
    assert chart_of(chart / "templates" / "deep" / "a.yaml", {chart}) == chart
    assert chart_of(chart / "values.yaml", {chart}) is None
    assert chart_of(tmp_path / "templates" / "a.yaml", {chart}) is None


def test_a_chart_in_the_tree_is_not_rendered_and_the_rest_is_judged(tmp_path: Path) -> None:
    (tmp_path / "web" / "templates").mkdir(parents=True)
    (tmp_path / "web" / "Chart.yaml").write_text("name: web\n")
    (tmp_path / "web" / "templates" / "a.yaml").write_text(
        "{{- if .Values.x }}\nimage: {{ .Values.image }}\n"
    )
    (tmp_path / "pod.yaml").write_text("kind: Pod\nspec:\n  containers:\n  - image: registry.example/a:v1\n")
    manifests = Manifests([tree(tmp_path, "gitops")])
    assert [use.ref for use in manifests.images()] == ["File gitops/pod.yaml:4"]
    assert not manifests.gaps.unread
    assert [one.ref for one in manifests.unrendered()] == ["File gitops/web"]


def test_a_rendering_of_that_name_is_judged_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "gitops").mkdir()
    (tmp_path / "gitops" / "a.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: web}\n"
        "spec:\n  source: {chart: web, repoURL: https://charts.example}\n"
    )
    trees = [tree(tmp_path / "gitops")]
    (found,) = Manifests(trees).unrendered()
    assert found.ref == "File gitops/a.yaml:5"
    assert found.why == "web: a chart that Argo CD fetches and renders, not rendered, so not judged"
    (tmp_path / "rendered").mkdir()
    (tmp_path / "rendered" / "web.yaml").write_text("image: registry.example/a:v1\n")
    rendered = Manifests(trees, None, [tmp_path / "rendered"])
    assert rendered.unrendered() == []
    assert [use.ref for use in rendered.images()] == ["File rendered/web.yaml:1"]


def test_a_folder_of_this_repository_is_here_and_another_is_not(tmp_path: Path) -> None:
    (tmp_path / "repo" / "gitops" / "apps").mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()
    (tmp_path / "other").mkdir()
    gitops = tmp_path / "repo" / "gitops"
    assert holds(gitops, "gitops/apps", "", ())
    assert holds(gitops, "./apps", "git@git.example:team/repo.git", {"team/repo"})
    assert holds(gitops, ".", "", ())
    assert not holds(gitops, "gitops/apps", "https://git.example/team/elsewhere.git", {"team/repo"})
    assert not holds(gitops, "other", "", ()), "beside the repository, not in it"
    assert not holds(gitops, "gitops/none", "", ())
