"""Rules about the source itself: who imports whom, one client per probe, nothing swallowed, sizes, trios."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from assay.catalogue import check_trios, load_catalogue


ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "assay"
# Packages and single modules, low to high: one imports only from lower rows. docs/design.md shows them.
ROWS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["assay"]["rows"]
CLIENTS = {
    "kubernetes": set(),
    "urllib3": {"probes/kube/connection.py"},
    "hcl2": {"formats/hcl_text.py"},
    "requests": {"probes/net/http.py"},
    "hvac": {"probes/vault/client.py"},
    "boto3": {"probes/s3/client.py"},
    "psycopg": {"probes/postgres.py"},
    "scipy": {"drills/restore/capacity.py", "load/verdict.py"},
    "jwt": {"probes/net/oidc.py"},
    "allure": set(),
    "allure_commons": {"run/allure_results.py"},
    "pytest": {"run/"},  # a folder: everything in it
    "click": {"cli/"},
    "rfc8785": {"run/evidence.py"},
    # Everything else runs a tool through run_tool: a time limit, a clean environment, one complaint.
    "subprocess": {
        "formats/tools.py",
        "cli/child.py",
        "drills/engine/watchdog.py",
        "probes/kube/forward.py",
        "writers/talos.py",
    },
    "locust": set(),
    "gevent": set(),
    "lab": set(),
}
LARGEST_ROOM = 0.22  # of the library's lines, each folder of probes/ and drills/ a room of its own
WRITES = ("assay.writers", "assay.proof", "subprocess", "socket")
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
ENDING = "assert not control.found"
FOLDERS = ("src", "acceptance", "violations", "lab", "loadtests", "tests")
SKIPPED = {"components", "node_modules"}


@cache
def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if not SKIPPED & set(path.relative_to(ROOT).parts)]


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def ident(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{ident(path)}:{node.lineno}: relative import"
            yield str(node.module), node.lineno
            if node.module == "assay":
                yield from ((f"assay.{alias.name}", node.lineno) for alias in node.names)


def row(word: str) -> int:
    found = [number for number, names in enumerate(ROWS) if word in names]
    assert found, f"assay.{word} is in no row: add it to ROWS where it belongs"
    return found[0]


def dotted(path: Path) -> str:
    return ".".join(("assay", *path.relative_to(SOURCE).with_suffix("").parts)).removesuffix(".__init__")


@cache
def graph() -> dict[str, frozenset[str]]:
    """Return module -> the modules of the library that it imports."""
    known = {dotted(path) for path in sources("src/assay")}
    edges = {}
    for path in sources("src/assay"):
        edges[dotted(path)] = frozenset(
            name
            for node in nodes(path)
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("assay")
            for name in [
                f"{node.module}.{alias.name}" if f"{node.module}.{alias.name}" in known else str(node.module)
                for alias in node.names
            ]
        )
    return edges


def test_a_module_imports_only_from_lower_rows() -> None:
    for path in sources("src/assay"):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        if parts[0] == "__init__":
            continue
        for name, line in imports(path):
            word = name.split(".")[1] if name.startswith("assay.") else ""
            if word and word != parts[0]:
                assert row(word) < row(parts[0]), f"{ident(path)}:{line}: imports {name}, which is not lower"


def circles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return every strongly connected set of two or more modules , one per cycle that graphlib finds."""
    rest = {module: set(targets) & edges.keys() - {module} for module, targets in edges.items()}
    found = []
    while rest:
        try:
            TopologicalSorter(rest).prepare()
        except CycleError as circle:
            found.append(sorted(set(circle.args[1])))
            rest = {module: targets - set(found[-1]) for module, targets in rest.items()}
        else:
            break
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circles(graph())


def test_the_rule_about_circles_sees() -> None:
    assert circles({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]}) == [["a", "b", "c"]]
    assert not circles({"a": ["b", "c"], "b": ["c"], "c": []})


def test_a_class_or_a_public_function_has_a_name_of_its_own() -> None:
    """One word for one thing: who searches for a name finds one definition."""
    places: dict[str, list[str]] = {}
    for path in sources("src/assay"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(f"{ident(path)}:{node.lineno}")
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_no_room_is_too_big() -> None:
    lines: dict[str, int] = {}
    for path in sources("src/assay"):
        folders = path.relative_to(SOURCE).parts[:-1]
        deep = folders[:2] if folders[:1] in {("probes",), ("drills",)} else folders[:1]
        lines["/".join(deep)] = lines.get("/".join(deep), 0) + len(path.read_text().splitlines())
    biggest = max(lines, key=lambda room: lines[room])
    assert lines[biggest] <= LARGEST_ROOM * sum(lines.values()), f"{biggest}: {lines[biggest]} lines"


def test_a_client_library_is_imported_in_one_place() -> None:
    for path in sources("src/assay"):
        inside = path.relative_to(SOURCE).as_posix()
        for name, line in imports(path):
            homes = CLIENTS.get(name.split(".")[0])
            known = homes is None or any(
                inside == home or (home.endswith("/") and inside.startswith(home)) for home in homes
            )
            assert known, f"{ident(path)}:{line}: {name} belongs in {homes or 'no module'}"


def test_acceptance_imports_assay_and_pytest_only() -> None:
    for path in sources("acceptance"):
        for name, line in imports(path):
            known = (
                name.split(".")[0] in {"assay", "pytest", "__future__"}
                or name.split(".")[0] in sys.stdlib_module_names
            )
            assert known, f"{ident(path)}:{line}: imports {name}"
            assert not name.startswith(("assay.proof.plant", "subprocess", "socket")), (
                f"{ident(path)}:{line}: imports {name}"
            )


def test_probes_judge_nothing() -> None:
    for path in sources("src/assay/probes"):
        judges = [node for node in nodes(path) if isinstance(node, ast.Name) and node.id == "Offender"]
        assert not judges, f"{ident(path)}:{judges[0].lineno}: an offender; judge in origins/ or in the test"


def test_acceptance_makes_no_fixtures() -> None:
    """What a fixture raises when it is torn down is shown by Allure as it is, values and all."""
    for path in sources("acceptance"):
        for node in nodes(path):
            for mark in getattr(node, "decorator_list", ()):
                assert "fixture" not in ast.unparse(mark), f"{ident(path)}:{mark.lineno}: a fixture"


def test_violations_plant_through_the_plant_only() -> None:
    for path in sources("violations"):
        for name, line in imports(path):
            above = name.startswith(
                ("assay.run.plugin", "assay.run.session", "assay.cli", "assay.run.gate", "assay.stack")
            )
            outside = name.split(".")[0] not in sys.stdlib_module_names | {"assay"}
            around = name.split(".")[0] in {"subprocess", "socket", "urllib", "http", "os", "shutil"}
            allowed = not (above or outside or around)
            assert allowed, f"{ident(path)}:{line}: imports {name}"


def test_the_lab_stands_alone() -> None:
    for path in sources("lab"):
        for name, line in imports(path):
            assert name.split(".")[0] != "assay", (
                f"{ident(path)}:{line}: the lab imports nothing of the suite"
            )


def test_no_broad_exception_is_swallowed() -> None:
    for path in sources(*FOLDERS):
        for node in nodes(path):
            if isinstance(node, ast.ExceptHandler) and broad(node.type):
                assert ends_in_raise(node), f"{ident(path)}:{node.lineno}: a broad except must end in raise"


def broad(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(broad(one) for one in kind.elts)
    return kind is None or ast.unparse(kind) in {"Exception", "BaseException"}


def ends_in_raise(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise) or ast.unparse(handler.body[-1]).startswith("os._exit(")


@pytest.mark.parametrize(("text", "swallowed"), [
    ("try:\n    f()\nexcept Exception:\n    pass", True),
    ("try:\n    f()\nexcept (OSError, Exception):\n    x = 1", True),
    ("try:\n    f()\nexcept:\n    raise", False),
])  # fmt: skip
def test_the_rule_about_exceptions_sees(text: str, swallowed: bool) -> None:
    (handler,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)]
    assert (broad(handler.type) and not ends_in_raise(handler)) is swallowed


def test_files_are_short_and_named_for_what_they_hold() -> None:
    for path in sources(*FOLDERS):
        assert path.stem not in FORBIDDEN
        length = len(path.read_text(encoding="utf-8").splitlines())
        assert length <= 400, f"{ident(path)}: {length} lines, more than 400"


def test_functions_are_mostly_short() -> None:
    lengths = [
        int(node.end_lineno or 0) - (node.body[1] if len(node.body) > 1 else node.body[0]).lineno + 1
        for path in sources("src/assay")
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef)
    ]
    longer = sum(length > 15 for length in lengths)
    assert longer <= len(lengths) * 0.1, f"{longer} of {len(lengths)} functions are longer than 15 lines"


def test_every_test_has_its_policy_and_its_violation() -> None:
    check_trios(load_catalogue(ROOT))


def test_acceptance_holds_nothing_but_tests() -> None:
    other = [path for path in sources("acceptance") if not path.name.startswith("test_")]
    assert not other, "no nested conftest, no modules of its own"


def test_violations_are_registered_by_the_files_of_violations_only() -> None:
    """A function that the library decorates would be registered in its own module, where nobody reads it."""
    for path in sources("src/assay"):
        for node in nodes(path):
            words = [ast.unparse(one) for one in getattr(node, "decorator_list", ())]
            assert not any(word.startswith("violation(") for word in words), ident(path)


def test_only_writers_drills_and_the_stack_send_more_than_reads() -> None:
    """What opens a connection for a bigger effect stands in one of these places."""
    homes = ("writers/", "drills/", "stack.py", "proof/")
    # The probe of each bigger effect declares it itself; the stack hands it out.
    declared = {
        "probes/guard.py", "probes/kube/dry_run.py", "probes/kube/wire.py", "probes/net/http.py",
        "probes/talos/read.py", "probes/vault/login.py",
    }  # fmt: skip
    for path in sources("src/assay"):
        inside = path.relative_to(SOURCE).as_posix()
        for node in nodes(path):
            if isinstance(node, ast.Call) and (opened := opening(node)):
                place = inside.startswith(homes) or inside in declared
                assert place, f"{ident(path)}:{node.lineno}: opens a connection for {opened}"


def opening(call: ast.Call) -> str:
    """Return the effect that a call opens a connection for, empty where it opens none."""
    name = ast.unparse(call.func).rpartition(".")[2]
    words = [ast.unparse(one) for one in (*call.args, *(pair.value for pair in call.keywords))]
    bigger = next((word for word in words if word.startswith("Effect.") and word != "Effect.READS"), "")
    return bigger if name in {"Guard", "allowing", "from_profile", "KubeWriter"} else ""


@pytest.mark.parametrize(("text", "effect"), [
    ("Guard(Effect.WRITES)", "Effect.WRITES"), ("wire.allowing(Effect.DECOY)", "Effect.DECOY"),
    ("Kube.from_profile(p, Effect.DISRUPTS)", "Effect.DISRUPTS"),
    ("Guard(effect=Effect.LOAD)", "Effect.LOAD"),
    ("Guard()", ""), ("Guard(Effect.READS)", ""), ("print(Effect.WRITES)", ""),
])  # fmt: skip
def test_the_rule_about_bigger_effects_sees(text: str, effect: str) -> None:
    (call,) = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    assert opening(call) == effect


def endings(text: str) -> list[str]:
    """Return the tests of a file that assert anything else, or do not end in the one assertion."""
    tests = [
        one for one in ast.parse(text).body if isinstance(one, ast.FunctionDef) and one.name[:5] == "test_"
    ]
    return [
        test.name
        for test in tests
        if [ast.unparse(node) for node in ast.walk(test) if isinstance(node, ast.Assert)] != [ENDING]
        or ast.unparse(test.body[-1]) != ENDING
    ]


def test_every_test_of_a_control_ends_in_the_same_assertion() -> None:
    for path in sources("acceptance"):
        assert not endings(path.read_text(encoding="utf-8")), ident(path)


@pytest.mark.parametrize(("body", "good"), [
    ("x = 1\n    assert not control.found", True),
    ("assert x\n    assert not control.found", False),
    ("assert not control.found\n    x = 1", False),
    ("assert not control.found, 'why'", False),
    ("x = 1", False),
])  # fmt: skip
def test_the_rule_about_endings_sees(body: str, good: bool) -> None:
    assert endings(f"def test_a(control):\n    {body}\n") == ([] if good else ["test_a"])
