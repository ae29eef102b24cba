"""A small platform for the tests of the plugin."""

from __future__ import annotations

import sys

import pytest

from tests.unit.support.catalogue import INI, Toy


@pytest.fixture
def toy(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Toy:
    """Return an empty platform; no stack is named by the environment.

    A file that a test writes again within a second is read again: no bytecode of the first one is kept.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delenv("ASSAY_STACK", raising=False)
    monkeypatch.delenv("ASSAY_RUN", raising=False)
    monkeypatch.delenv("ASSAY_REPORTS", raising=False)
    monkeypatch.setenv("ASSAY_LAB_STATE", str(pytester.path / "nowhere"))
    pytester.makefile(".ini", pytest=INI)
    return Toy(pytester.path)
