"""The generated report in a real browser: every control is a row, it counts right, it calls no one."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from assay.run.allure_report import ReportError, agree, generate
from assay.run.allure_results import write_results
from assay.run.outcome import Outcome
from tests.unit.support.outcomes import JUDGED, NAMES, judged, outcome


CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1400,900",
)  # fmt: skip


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address under which `folder` is served on loopback."""
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextlib.contextmanager
def browser(profile: Path) -> Iterator[webdriver.Chrome]:
    """Yield a headless Chromium with a new profile that logs its network events."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM[0]
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(CHROMIUM[1]))
    try:
        yield driver
    finally:
        driver.quit()


def hosts(driver: webdriver.Chrome) -> set[str]:
    """Return every host that a page asked for, answered or not."""
    log = driver.execute("getLog", {"type": "performance"})["value"]
    messages = [json.loads(entry["message"])["message"] for entry in log]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    asked += [m["params"]["url"] for m in messages if m["method"] == "Network.webSocketCreated"]
    return {
        urlsplit(url).hostname or ""
        for url in asked
        if urlsplit(url).scheme not in ("data", "blob", "chrome")
    }


def body(driver: webdriver.Chrome, url: str, *words: str) -> str:
    """Return the page's visible text once it holds all `words`."""
    driver.get(url)

    def ready(there: webdriver.Chrome) -> str:
        text = there.find_element(By.TAG_NAME, "body").text
        return text if all(word in text for word in words) else ""

    return WebDriverWait(driver, 30, ignored_exceptions=[Exception]).until(ready)


def made(folder: Path, run: Outcome) -> Path:
    """Return the folder of the report of a run, with the trend of two earlier ones."""
    earlier = [outcome(JUDGED[0]), outcome(*JUDGED[:2])]
    write_results(folder / "results", run, earlier)
    generate(folder / "results", folder / "html")
    return folder / "html"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a report with every verdict in it."""
    return made(tmp_path_factory.mktemp("report"), outcome(*JUDGED))


def page_of(report: Path, control: str) -> str:
    """Return where the report shows a control."""
    cases = [json.loads(path.read_text()) for path in (report / "data/test-cases").glob("*.json")]
    return next(f"#testresult/{case['uid']}" for case in cases if case["fullName"] == control)


def test_report_agrees_with_the_record(report: Path) -> None:
    run = outcome(*JUDGED)
    agree(report, run)
    red = replace(JUDGED[0], verdict="FAIL")
    with pytest.raises(ReportError, match="NET-01 failed"):
        agree(report, outcome(red, *JUDGED[1:]))
    with pytest.raises(ReportError, match="not of run"):
        agree(report, replace(run, past=replace(run.past, run="another")))


def test_a_row_that_the_report_has_lost_is_seen(report: Path, tmp_path: Path) -> None:
    """Two results that Allure takes for tries of one test would show a red control as green."""
    run = outcome(*JUDGED)
    write_results(tmp_path / "results", run)
    for path in (tmp_path / "results").glob("*-result.json"):
        row = json.loads(path.read_text())
        path.write_text(json.dumps({**row, "historyId": "same", "testCaseId": "same"}))
    generate(tmp_path / "results", tmp_path / "html")
    with pytest.raises(ReportError, match="differs from the record"):
        agree(tmp_path / "html", run)


def test_pages_render_with_the_right_counts_and_call_no_one(report: Path, tmp_path: Path) -> None:
    with served(report) as url, browser(tmp_path / "profile") as driver:
        first = body(driver, url, "Acceptance report", "test cases", "Stand-ins", "20%")
        assert f"{len(NAMES)}\ntest cases" in first
        assert "20%" in first  # 1 of 5 in scope that could pass: what was not judged counts
        assert "NOT_CHECKED: in scope, and no verdict" in first
        assert "FAIL, waived" in first
        assert "NOT_APPLICABLE" in first
        assert "gateway" in first
        suites = body(driver, url + "#suites", "Infra", "Security")
        assert "Suites" in suites
        for page in ("#categories", "#graph", "#timeline", "#behaviors", "#packages"):
            body(driver, url + page, "Timeline")
        called = hosts(driver)
    assert called == {"127.0.0.1"}


def test_the_page_of_a_control_says_what_is_wrong_where_whose_and_what_to_do(
    report: Path, tmp_path: Path
) -> None:
    wanted = {
        "NET-01": ("Passed", "gateway: Caddy", "It is not so.", "Owner", "Security"),
        "NET-02": ("Failed", "Close it.", "File infra/main.tf:12", "is open", "limit = 3"),
        "NET-03": ("[waived]", "waived by Ann"),
        "NET-04": ("Broken", "Grant list."),
        "NET-05": ("[not applicable]", "no such part here"),
        "NET-06": ("[not checked]", "its effect is writes"),
        "NET-07": ("[not checked]", "no test yet"),
    }
    with served(report) as url, browser(tmp_path / "profile") as driver:
        for control, words in wanted.items():
            body(driver, f"{url}?{control}{page_of(report, control)}", *words)


def test_a_run_with_anything_in_scope_unjudged_never_shows_100_percent(tmp_path: Path) -> None:
    """All that was judged has passed, one control in scope was left out."""
    passed = [judged(name, "PASS") for name in NAMES[:4]]
    run = outcome(*passed)
    assert run.code == 10
    with served(made(tmp_path, run)) as url, browser(tmp_path / "profile") as driver:
        first = body(driver, url, "Acceptance report", "test cases", "%")
    assert "80%" in first
    assert "100%" not in first


def test_what_a_platform_says_runs_nowhere(tmp_path: Path) -> None:
    bad = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    run = outcome(judged("NET-02", "FAIL", (bad, bad), reason=bad, remedy=bad, notes={bad: bad}))
    report = made(tmp_path, run)
    with served(report) as url, browser(tmp_path / "profile") as driver:
        text = body(driver, url + page_of(report, "NET-02"), "NET-02", "<script>")
        assert driver.title != "owned"
        assert hosts(driver) == {"127.0.0.1"}
    assert "onerror" in text


def test_no_page_names_an_analytics_host(report: Path) -> None:
    pages = [path for path in report.rglob("*") if path.suffix in (".html", ".js")]
    assert pages
    assert not [path.name for path in pages if "googletagmanager" in path.read_text(errors="replace")]


def test_a_folder_that_is_not_a_report_is_left_alone(report: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(ReportError, match="not a report"):
        generate(report.parent / "results", tmp_path)
    with pytest.raises(ReportError, match="no results"):
        generate(tmp_path, report)
