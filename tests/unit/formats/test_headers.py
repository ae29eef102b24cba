"""A file of headers is read whole, or refused by its line without a word of what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import ProbeError
from assay.formats.headers import read_headers


def filed(folder: Path, text: str | bytes) -> Path:
    file = folder / "headers"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


def test_headers_as_curl_takes_them(tmp_path: Path) -> None:
    text = "# the login of the suite\nAuthorization: Bearer a.b:c\n\nX-Tenant:  acceptance \n"
    assert read_headers(filed(tmp_path, text)) == {"Authorization": "Bearer a.b:c", "X-Tenant": "acceptance"}


@pytest.mark.parametrize(
    "text",
    [
        "canary-secret\n", "Host: canary-secret\n", "A B: canary-secret\n", "A: canary\x00secret\n",
        ": canary-secret\n", "A: 1\nA: canary-secret\n", "content-length: 1\n", b"\xff\xfe",
        "A: canary\u00e9\n",
    ],
)  # fmt: skip
def test_what_is_not_a_header_is_refused_without_its_words(tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ProbeError, match="headers") as caught:
        read_headers(filed(tmp_path, text))
    assert "canary" not in str(caught.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="cannot be read"):
        read_headers(tmp_path / "gone")


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() != "host"
)


@given(st.dictionaries(NAMES, st.from_regex(r"[!-~]([ -~]*[!-~])?", fullmatch=True), max_size=4))
def test_whatever_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, headers: dict[str, str]
) -> None:
    text = "".join(f"{name}: {value}\n" for name, value in headers.items())
    assert read_headers(filed(tmp_path_factory.mktemp("h"), text)) == headers
