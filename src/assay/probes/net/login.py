"""Whether a service that speaks HTTP lets a login in: Basic with a name, Bearer without one."""

from __future__ import annotations

import base64
from http import HTTPStatus

from assay.config.profile import Profile
from assay.errors import ProbeError
from assay.model import Attempt
from assay.probes.net.http import Http


DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class HttpLogin:
    """Logins at one URL that answers 2xx to the right ones, 401 or 403 to the others."""

    refusal = "not let in"

    def __init__(self, http: Http) -> None:
        """Ask at the URL of `http`."""
        self._http = http

    @classmethod
    def from_profile(cls, profile: Profile) -> HttpLogin:
        """Return the probe of `canary_login` of `[platform.rotation]`, verified against `[api] ca`, if any.

        Raises:
            ProbeError: it is not an https URL, or the CA's file cannot be read.
        """
        url = profile.platform.rotation.canary_login
        if not url.startswith("https://"):
            raise ProbeError("canary_login is not an https URL", "a login is never sent in clear")
        return cls(Http(url, str(profile.need_path("api.ca")) if profile.api.ca else "", ""))

    def login(self, user: str, password: str) -> Attempt:
        """Return whether the service lets `user` in with this password; without a name it is a token.

        Raises:
            ProbeError: no reply, or one that is neither yes nor no.
        """
        pair = base64.b64encode(f"{user}:{password}".encode()).decode()
        reply = self._http.get_as(f"Basic {pair}" if user else f"Bearer {password}")
        ref = f"Login {user or 'token'} at {self._http.url}"
        if reply.status in DENIED:
            return Attempt(ref, admitted=False, reason=f"{self.refusal}: HTTP {reply.status}")
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
            return Attempt(ref, admitted=True)
        raise ProbeError(
            f"{ref}: HTTP {reply.status}", "name a URL that answers 2xx to a login, else 401 or 403"
        )
