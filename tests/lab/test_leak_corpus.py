"""SEC-20's search as it is run, in a repository with the real gitleaks: what it adds to our own rules."""

from __future__ import annotations

import string
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from assay.config.trees import SourceTree
from assay.origins.leaks import SecretScan, run_gitleaks
from lab import build
from tests.unit.secretscan.test_corpus import LETTERS, LOWER, SEEDS, File, Values, innocents, plants


GITLEAKS = build.BINARIES / "gitleaks"
HEX = string.hexdigits[:16]
pytestmark = pytest.mark.skipif(not GITLEAKS.exists(), reason="gitleaks is not built: `make lab-up`")


def vendors(seed: int) -> list[File]:
    """Return tokens of vendors in a sentence: no word beside them says what they are.

    Not before a comma or a full stop: most of gitleaks' rules want a space, a quote or the end of the line.
    """
    v = Values(seed)
    tokens = {
        "Brevo": f"xkeysib-{v.of(HEX, 64)}-{v.of(LOWER, 16)}",
        "Databricks": f"dapi{v.of(HEX, 32)}",
        "Doppler": f"dp.pt.{v.of(LOWER, 43)}",
        "Google": f"AIza{v.of(LETTERS, 35)}",
        "Hugging Face": f"hf_{v.of(string.ascii_lowercase, 34)}",
        "Postman": f"PMAK-{v.of(HEX, 24)}-{v.of(HEX, 34)}",
        "Pulumi": f"pul-{v.of(HEX, 40)}",
        "PyPI": f"pypi-AgEIcHlwaS5vcmc{v.of(LETTERS, 90)}",
        "RubyGems": f"rubygems_{v.of(HEX, 48)}",
        "SendGrid": f"SG.{v.of(LETTERS, 22)}.{v.of(LETTERS, 43)}",
        "Shopify": f"shpat_{v.of(HEX, 32)}",
        "Terraform Cloud": f"{v.of(LETTERS, 14)}.atlasv1.{v.of(LETTERS, 64)}",
    }
    return [File(kind, "notes.md", f"use {token} until Monday\n") for kind, token in tokens.items()]


def found(folder: Path, files: Sequence[File], gitleaks: Path | None) -> set[int]:
    """Return the numbers of the files, committed to a new repository, in which the search finds something."""
    for number, one in enumerate(files):
        path = folder / str(number) / one.path
        path.parent.mkdir(parents=True)
        path.write_text(one.text, encoding="utf-8")
    me = ["-c", "user.name=corpus", "-c", "user.email=corpus@platform.example"]
    for words in (["init", "-q"], ["add", "-A", "-f"], [*me, "commit", "-q", "-m", "corpus"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return {
        int(one.ref.removeprefix("File ").split("/")[0])
        for one in SecretScan(SourceTree(folder, ""), gitleaks).open()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_both_together_are_right(seed: int, tmp_path: Path) -> None:
    """At least 97 of 100 secrets are found, at least 97 of 100 accusations are right."""
    bad, good = plants(seed), innocents(seed)
    numbers = found(tmp_path, [*bad, *good], GITLEAKS)
    right = sum(number < len(bad) for number in numbers)
    assert right >= 0.97 * len(bad)
    assert right >= 0.97 * len(numbers), [good[n - len(bad)].text for n in numbers if n >= len(bad)]


@pytest.mark.parametrize("seed", SEEDS)
def test_gitleaks_adds_the_tokens_of_vendors(seed: int, tmp_path: Path) -> None:
    """Our own rules go by words and names; a bare token is gitleaks' part, and would be missed without it."""
    files = vendors(seed)
    assert found(tmp_path / "both", files, GITLEAKS) == set(range(len(files)))
    assert found(tmp_path / "own", files, None) == set()


@pytest.mark.parametrize("seed", SEEDS)
def test_gitleaks_itself_still_looks(seed: int, tmp_path: Path) -> None:
    """Were its configuration broken, our own rules would hide it: alone it finds a third, and no innocent."""
    (tmp_path / "files").mkdir()
    bad = plants(seed)
    for number, one in enumerate([*bad, *innocents(seed)]):
        (tmp_path / "files" / str(number)).write_text(one.text, encoding="utf-8")
    rows = run_gitleaks(GITLEAKS, tmp_path / "files", tmp_path)
    numbers = {int(Path(str(row["File"]).split("!")[0]).name) for row in rows}
    assert len(numbers) >= 0.3 * len(bad)
    assert max(numbers) < len(bad)
