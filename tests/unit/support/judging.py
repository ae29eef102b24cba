"""The test of a control, run on a stack that a unit test makes up: its verdict, and what it noted."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

from assay.catalogue import Catalogue, load_catalogue
from assay.errors import AssayError
from assay.model import Override, Record, Tier, Verdict
from assay.run.verdict import classify


ROOT = Path(__file__).parents[3]


@cache
def _catalogue() -> Catalogue:
    return load_catalogue(ROOT)


def judged(
    control: str, tier: Tier, stack: object, override: Override | None = None
) -> tuple[Verdict, str, Record]:
    """Return (verdict, what was said, record) of one control's test on `stack`."""
    case = next(one for one in _catalogue().cases if (one.control, one.tier) == (control, tier))
    spec = importlib.util.spec_from_file_location(f"judging_{case.path.stem}", case.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    record, problem = Record(_catalogue().controls[control], override or Override()), None
    try:
        getattr(module, case.function)(stack, record)
    except (AssayError, AssertionError) as raised:
        problem = raised
    verdict, reason, _ = classify(record, problem)
    said = [reason, *(f"{one.ref}: {one.why}" for one in record.found)]
    said += [f"{one.ref}: {one.why}" for one in (*record.gaps, *record.left_out)]
    return verdict, "\n".join(said), record
