"""Open arrivals for Locust: every request starts at its own due moment, however slow the earlier ones are.

locust -f loadtests/locustfile.py --headless -u 1 --plan plan.json --record requests.jsonl

One Locust user drives the whole plan: it starts one greenlet per planned arrival and measures from the moment
that arrival was due. Every arrival becomes one line of the record; the last line, with the generator's view
of itself, proves that the record is whole.
"""

from __future__ import annotations

import gc
import http.client
import json
import resource
import ssl
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import IO

import gevent
from gevent.pool import Group
from locust import User, constant, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.exception import StopUser


sys.path.insert(0, str(Path(__file__).parent))

from client import Client, Reply
from pulse import Pulse

from assay.formats.headers import read_headers
from assay.load.plan import LoadPlan, due_times, read_plan


LEAD_S = 0.5
SPARE_FILES = 200


@events.init_command_line_parser.add_listener
def _arguments(parser: LocustArgumentParser) -> None:
    parser.add_argument(
        "--plan", type=Path, required=True, help="what to send: a plan as assay.load.plan.LoadPlan writes it"
    )
    parser.add_argument(
        "--record", type=Path, required=True, help="where to write one JSON line per request; must not exist"
    )


@events.init.add_listener
def _one_process(environment: Environment, **_others: object) -> None:
    options = environment.parsed_options
    if options is not None and (getattr(options, "master", False) or getattr(options, "worker", False)):
        raise SystemExit("this plan runs in one process: leave --master, --worker and --processes out")


class Arrivals:
    """One run of a plan, written to `record` as it happens."""

    def __init__(self, plan: LoadPlan, record: IO[str], environment: Environment) -> None:
        """Prepare to send; nothing leaves before `run`."""
        self.plan, self.record, self.environment = plan, record, environment
        headers = read_headers(Path(plan.headers)) if plan.headers else {}
        self.client = Client(plan.url, plan.name, plan.ca, plan.deadline, headers)
        self.start = 0.0
        self.made = 0

    def run(self, pulse: Pulse) -> None:
        """Send every arrival at its due moment, wait for the last reply or deadline, end the record."""
        due, group = due_times(self.plan), Group()
        self.start = time.monotonic() + LEAD_S
        pulse.start()
        for seq, moment in enumerate(due):
            gevent.sleep(max(0.0, self.start + moment - time.monotonic()))
            self.made += 1
            group.start(gevent.Greenlet(self._arrive, seq, moment))
        group.join()
        pulse.stop()
        end = {
            "end": True,
            "arrivals": self.made,
            "gap": pulse.gap,
            "busiest": pulse.busiest,
            "echo": pulse.echo,
        }
        self.record.write(json.dumps(end) + "\n")

    def _arrive(self, seq: int, due: float) -> None:
        sent = time.monotonic() - self.start
        path = self.plan.path_of(seq)
        reply, why = self._ask(path, due + self.plan.deadline - sent)
        done = time.monotonic() - self.start if reply else None
        status = reply.status if reply else 0
        ok = reply is not None and reply.whole and 200 <= status < 300
        if reply and not ok:
            why = f"status {status}" if reply.whole else "empty body"
        line = {
            "seq": seq,
            "due": due,
            "sent": max(sent, due),
            "done": done,
            "status": status,
            "ok": ok,
            "why": why,
        }
        self.record.write(json.dumps({**line, "cached": reply is not None and reply.cached}) + "\n")
        self._tell_locust(path, ((done or due + self.plan.deadline) - due) * 1000, why)

    def _ask(self, path: str, left: float) -> tuple[Reply | None, str]:
        try:
            with gevent.Timeout(max(left, 0.001)):
                return self.client.get(path), ""
        except gevent.Timeout:
            return None, "deadline"
        except ssl.SSLCertVerificationError:
            return None, "tls"
        except (OSError, http.client.HTTPException) as error:
            return None, type(error).__name__

    def _tell_locust(self, path: str, milliseconds: float, why: str) -> None:
        self.environment.events.request.fire(
            request_type="GET",
            name=path,
            response_time=milliseconds,
            response_length=0,
            exception=RuntimeError(why) if why else None,
            context={},
        )


def check_files(plan: LoadPlan) -> None:
    """Stop before the start if more requests could be open at once than this process may have files."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = min(plan.arrivals, int(plan.rate * plan.deadline * 1.5)) + SPARE_FILES
    if soft < most:
        raise SystemExit(f"{most} open files may be needed, {soft} are allowed: raise ulimit -n")


class OpenArrivals(User):
    """The one user that drives the plan; more of them would send nothing."""

    fixed_count = 1
    wait_time = constant(0)

    @task
    def drive(self) -> None:
        """Run the plan once, then end Locust; its exit code says only whether the record is whole."""
        options: Namespace = self.environment.parsed_options
        self.environment.process_exit_code = 3
        plan = read_plan(options.plan)
        check_files(plan)
        gc.collect()
        gc.freeze()
        with options.record.open("x", encoding="utf-8") as record:
            Arrivals(plan, record, self.environment).run(Pulse())
        self.environment.process_exit_code = 0
        gevent.spawn(self.environment.runner.quit)
        raise StopUser
