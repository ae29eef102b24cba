"""The load generator: Locust in a process of its own (gevent patches stay there), and its raw record."""

from __future__ import annotations

import math
import os
import random
import sys
import tempfile
from pathlib import Path

from assay.config.profile import Profile
from assay.errors import ProbeError, UndeclaredError
from assay.formats.tools import run_tool
from assay.load.plan import LoadPlan, Run, read_run
from assay.secretscan.suspect import repeated


SECONDS = 75.0
LEAST = 1500
WARM_SECONDS = 5.0
GRACE = 60.0
LOCUSTFILE = "loadtests/locustfile.py"


def locustfile() -> Path:
    """Return the path of the Locust project: below the working directory, else in this checkout.

    Raises:
        ProbeError: neither holds it.
    """
    for root in (Path.cwd(), Path(__file__).parents[3]):
        if (root / LOCUSTFILE).is_file():
            return root / LOCUSTFILE
    raise ProbeError(f"{LOCUSTFILE} is not here", "run from the root of the suite's checkout")


class Load:
    """Runs against the public API's address with open arrivals."""

    def __init__(self, url: str, path: str, name: str, ca: str, max_rps: float | None = None) -> None:
        """Aim at `path` of `url`.

        Args:
            url: of the API.
            path: what is read.
            name: the host in certificate and Host header.
            ca: a PEM file.
            max_rps: the highest rate that is allowed, requests per second; None: none is set.
        """
        self.url, self.path, self.name, self.ca, self.max_rps = url, path, name, ca, max_rps

    @classmethod
    def from_profile(cls, profile: Profile, max_rps: float | None = None) -> Load:
        """Return the generator for the profile's `[api]`, at most at `max_rps` requests per second.

        Raises:
            ProbeError: the profile does not say where the API is, or its CA file cannot be read.
        """
        ca = str(profile.need_path("api.ca")) if profile.api.ca else ""
        return cls(profile.need_text("api.url"), profile.api.path, profile.api.host, ca, max_rps)

    def plan(
        self, rate: float, seconds: float = SECONDS, least: int = LEAST, seed: int | None = None
    ) -> LoadPlan:
        """Return the plan of a run at `rate` arrivals per second, fixed before it starts.

        Args:
            rate: arrivals per second, the declared peak.
            seconds: how long to judge, on average; longer if `least` needs it.
            least: at least so many judged arrivals.
            seed: of the arrival times; drawn if None.

        Raises:
            UndeclaredError: the rate is higher than allowed; the control is NOT_CHECKED.
        """
        if self.max_rps is not None and rate > self.max_rps:
            raise UndeclaredError(
                f"the declared peak of {rate:g}/s is more than the {self.max_rps:g}/s that [allow] permits",
                "raise max_rps under [allow]; the peak itself is what must be judged",
            )
        judged = max(least, math.ceil(rate * seconds))
        drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
        return LoadPlan(
            self.url,
            self.path,
            self.name,
            self.ca,
            float(rate),
            math.ceil(rate * WARM_SECONDS),
            judged,
            drawn,
        )

    def run(self, plan: LoadPlan, folder: Path | None = None) -> Run:
        """Return the complete record of one run of `plan`; takes as long as the plan says.

        Args:
            plan: written to `plan.json` before the start.
            folder: where plan, record and log are kept; a temporary one if None.

        Raises:
            ProbeError: the generator failed, or its record is not whole.
        """
        if folder is not None:
            return self._run(plan, folder)
        with tempfile.TemporaryDirectory(prefix="assay-load-") as made:
            return self._run(plan, Path(made))

    def _run(self, plan: LoadPlan, folder: Path) -> Run:
        plan.write(folder / "plan.json")
        command = [sys.executable, "-m", "locust", "-f", str(locustfile()), "--headless", "--users", "1"]
        command += [
            "--only-summary",
            "--plan",
            str(folder / "plan.json"),
            "--record",
            str(folder / "requests.jsonl"),
        ]
        own = {name: text for name, text in os.environ.items() if not name.startswith(("LOCUST_", "PYTEST_"))}
        remedy = "by hand: loadtests/README.md"
        done = run_tool(command, plan.longest + GRACE, "the load generator", remedy=remedy, env=own)
        (folder / "locust.log").write_bytes(done.out + done.err)
        if done.code:
            raise ProbeError(f"the load generator ended with {done.code}: {repeated(done.last_line)}", remedy)
        return read_run(plan, folder / "requests.jsonl")
