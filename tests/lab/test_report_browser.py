"""The generated report in a real browser: it renders, counts right, calls no one, hides no red case."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from assay.model import Verdict
from assay.run.allure_report import ReportError, agree, generate


CONFTEST = """
import os, allure, pytest

@pytest.fixture(autouse=True)
def labels(request):
    allure.dynamic.label("control", "SEC-01")
    allure.dynamic.label("run", "this-run")
    if os.environ.get("UNIQUE"):
        allure.dynamic.parameter("case", request.node.nodeid)
"""
CASES = """
import pytest

@pytest.mark.parametrize("replicas", [1, 1], ids=["primary", "standby"])
def test_twins(replicas, request):
    assert "standby" in request.node.name, "Pod shop/leaky carries a token"

def test_unreachable():
    raise RuntimeError("the API did not answer")

def test_fine():
    pass
"""
RECORDED = [("SEC-01", verdict) for verdict in (Verdict.FAIL, Verdict.PASS, Verdict.ERROR, Verdict.PASS)]
CHROMIUM = ("/usr/bin/chromium", "/usr/bin/chromedriver")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1400,900",
)  # fmt: skip


def results(folder: Path, unique: str) -> Path:
    """Return the Allure results of a run with four cases, two of which have equal parameter values."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_cases.py").write_text(CASES)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
        "-p",
        "no:assay",
    ]
    done = subprocess.run(
        [*command, "--alluredir", str(folder / "results"), str(folder / "test_cases.py")],
        env={"UNIQUE": unique, "PATH": "/usr/bin:/bin"},
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert "2 failed, 2 passed" in done.stdout, done.stdout
    return folder / "results"


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


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a generated report of four cases."""
    folder = tmp_path_factory.mktemp("report")
    generate(results(folder, "yes"), folder / "html")
    return folder / "html"


def test_report_agrees_with_the_record(report: Path) -> None:
    agree(report, RECORDED, "this-run")
    with pytest.raises(ReportError, match="SEC-01 failed"):
        agree(report, [*RECORDED, ("SEC-01", Verdict.FAIL)], "this-run")
    with pytest.raises(ReportError, match="not of run"):
        agree(report, RECORDED, "another-run")


def test_pages_render_with_the_right_counts_and_call_no_one(report: Path, tmp_path: Path) -> None:
    with served(report) as url, browser(tmp_path / "profile") as driver:
        first = body(driver, url, "Acceptance report", "test cases")
        assert "4\ntest cases" in first
        driver.save_screenshot(str(tmp_path / "overview.png"))
        suites = body(driver, url + "#suites", "test_cases")
        assert "failed" in suites.lower() or "1" in suites
        for page in ("#categories", "#graph", "#timeline", "#behaviors", "#packages"):
            body(driver, url + page, "Acceptance report" if page == "" else "Timeline")
        called = hosts(driver)
    assert called == {"127.0.0.1"}


def test_merged_twins_are_caught(tmp_path: Path) -> None:
    """Without the unique parameter the red twin passes for an earlier try of the green one: it is seen.

    Once Allure no longer merges them, nothing raises here, and the parameter can go.
    """
    generate(results(tmp_path, ""), tmp_path / "html")
    with pytest.raises(ReportError, match="SEC-01 failed"):
        agree(tmp_path / "html", RECORDED, "this-run")


def test_no_page_names_an_analytics_host(report: Path) -> None:
    pages = [path for path in report.rglob("*") if path.suffix in (".html", ".js")]
    assert pages
    assert not [path.name for path in pages if "googletagmanager" in path.read_text(errors="replace")]


def test_a_folder_that_is_no_report_is_left_alone(report: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("keep")
    with pytest.raises(ReportError, match="not a report"):
        generate(results(Path(str(report.parent)), "yes"), tmp_path)
    with pytest.raises(ReportError, match="no results"):
        generate(tmp_path, report)
