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


RUN_S = 75.0
MIN_REQUESTS = 1500
WARM_UP_S = 5.0
EXTRA_TIME_S = 60.0
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

    def __init__(
        self,
        url: str,
        paths: tuple[str, ...],
        name: str,
        ca: str,
        max_rps: float | None = None,
        headers: str = "",
    ) -> None:
        """Aim at `paths` of `url`.

        Args:
            url: of the API.
            paths: what is read, in turn.
            name: the host in certificate and Host header.
            ca: a PEM file.
            max_rps: the highest rate that is allowed, requests per second; None: none is set.
            headers: a file with what each request carries.
        """
        self.url, self.paths, self.name, self.ca = url, paths, name, ca
        self.max_rps, self.headers = max_rps, headers

    @classmethod
    def from_profile(cls, profile: Profile, max_rps: float | None = None) -> Load:
        """Return the generator for the profile's `[api]`, at most at `max_rps` requests per second.

        Raises:
            ProbeError: the profile does not say where the API is, or a file of its section cannot be read.
        """
        files = {
            key: str(profile.need_path(f"api.{key}")) if getattr(profile.api, key) else ""
            for key in ("ca", "headers")
        }
        url, known = profile.need_text("api.url"), profile.api
        return cls(url, known.paths, known.host, files["ca"], max_rps, files["headers"])

    def plan(
        self, rate: float, seconds: float = RUN_S, least: int = MIN_REQUESTS, seed: int | None = None
    ) -> LoadPlan:
        """Return the plan of a run at `rate` arrivals per second, fixed before it starts.

        Args:
            rate: arrivals per second, the declared peak.
            seconds: how long to judge each path, on average; longer if `least` needs it.
            least: at least so many judged arrivals for each path.
            seed: of the arrival times; drawn if None.

        Raises:
            UndeclaredError: the rate is higher than allowed; the control is NOT_CHECKED.
        """
        if self.max_rps is not None and rate > self.max_rps:
            raise UndeclaredError(
                f"the declared peak of {rate:g}/s is more than the {self.max_rps:g}/s that [allow] permits",
                "raise max_rps under [allow]; the peak itself is what must be judged",
            )
        judged = max(least, math.ceil(rate * seconds)) * len(self.paths)
        drawn = random.SystemRandom().getrandbits(32) if seed is None else seed
        return LoadPlan(
            self.url,
            self.paths,
            self.name,
            self.ca,
            float(rate),
            math.ceil(rate * WARM_UP_S),
            judged,
            drawn,
            headers=self.headers,
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
        done = run_tool(command, plan.longest + EXTRA_TIME_S, "the load generator", remedy=remedy, env=own)
        (folder / "locust.log").write_bytes(done.out + done.err)
        if done.code:
            raise ProbeError(f"the load generator ended with {done.code}: {repeated(done.last_line)}", remedy)
        return read_run(plan, folder / "requests.jsonl")
