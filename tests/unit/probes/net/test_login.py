"""A login at a service that speaks HTTP: what lets it in, what refuses it, and what is neither."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import pytest
import requests

from assay.config.platform import Platform, Rotation
from assay.errors import ProbeError
from assay.probes.net.http import Http
from assay.probes.net.login import HttpLogin


URL = "https://registry.example/v2/"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the headers `Authorization` of what is sent; the service knows one login and one token."""
    seen: list[str] = []
    right = {
        f"Basic {base64.b64encode(b'canary:right').decode()}": 200,
        "Bearer right": 204,
        "Bearer away": 302,
    }

    def request(_: requests.Session, method: str, url: str, headers: dict[str, str], **more: Any) -> Any:  # noqa: ANN401
        assert (method, url, more["verify"], more["allow_redirects"]) == ("GET", URL.rstrip("/"), True, False)
        seen.append(headers["Authorization"])
        return SimpleNamespace(status_code=right.get(seen[-1], 401), content=b"")

    monkeypatch.setattr(requests.Session, "request", request)
    return seen


def test_a_login_is_let_in_or_not(sent: list[str]) -> None:
    service = HttpLogin(Http(URL, "", ""))
    assert service.login("canary", "right").admitted
    assert service.login("", "right").admitted
    wrong = service.login("canary", "wrong")
    assert (wrong.admitted, wrong.reason) == (False, "not let in: HTTP 401")
    assert service.refusal in wrong.reason
    assert [one.split()[0] for one in sent] == ["Basic", "Bearer", "Basic"]
    assert "right" not in wrong.ref + wrong.reason


def test_what_is_neither_yes_nor_no_is_an_error_without_the_secret(sent: list[str]) -> None:
    with pytest.raises(ProbeError, match="HTTP 302") as caught:
        HttpLogin(Http(URL, "", "")).login("", "away")
    assert sent
    assert "away" not in str(caught.value)


def test_a_login_is_never_sent_in_clear() -> None:
    profile: Any = SimpleNamespace(
        platform=Platform(rotation=Rotation(canary_login="http://registry.example"))
    )
    with pytest.raises(ProbeError, match="https"):
        HttpLogin.from_profile(profile)
