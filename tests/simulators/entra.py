"""The login server of Microsoft (facts: MSAL): device codes, a page to agree on, and tokens that rotate.

It has the address of the simulator of Graph. The library is told the name of the real one in every URL; what
sends for the library puts this server in its place.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.simulators.asked import Answer, Asked
from tests.simulators.mailbox import Json

HOST = "https://login.microsoftonline.com"
CLIENT = "11111111-2222-3333-4444-555555555555"
TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
WHO = "ada@outlook.example"


@dataclass
class Entra:
    """``admit`` is told each access token and the claims that it was asked for with. ``pending`` polls come
    before the person has entered the code; ``outcome`` is what they do then: ``""`` or an error.
    ``forgives``: a refresh token may be used again.
    ``errors`` are answers (error, numbers) to the next requests for a token."""

    admit: Callable[[str, str], object]
    pending: int = 0
    slow_down: int = 0
    outcome: str = ""
    errors: list[tuple[str, int]] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    refresh_tokens: set[str] = field(default_factory=set)
    lose_replies: int = 0
    offline: bool = True
    forgives: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._issued = 0
        self._codes: dict[str, dict[str, str]] = {}

    @property
    def tokens(self) -> list[str]:
        """All that were given out so far: what must be nowhere but with the secrets."""
        return [f"{kind}-secret-{n}" for n in range(1, self._issued + 1) for kind in ("access", "refresh")]

    def end_login(self) -> None:
        """The password was changed, or consent withdrawn."""
        self.refresh_tokens.clear()

    def handle(self, asked: Asked) -> Answer | None:
        with self._lock:
            self.requests.append(asked)
            tenant, _, rest = asked.path.strip("/").partition("/")
            form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
            match asked.method, rest:
                case "GET", "v2.0/.well-known/openid-configuration":
                    return _json(200, _configuration(tenant))
                case "POST", "oauth2/v2.0/devicecode":
                    return self._device_code(form)
                case "GET", "oauth2/v2.0/authorize":
                    return self._page({name: values[0] for name, values in asked.query.items()})
                case "POST", "oauth2/v2.0/token":
                    answer = self._token(form)
                    if self.lose_replies > 0:
                        self.lose_replies -= 1
                        return None
                    return answer
        return _refusal("invalid_request", 900144, status=404)

    def _device_code(self, form: dict[str, str]) -> Answer:
        if form.get("client_id") != CLIENT:
            return _refusal("unauthorized_client", 700016)
        self._codes["device-1"] = {"scope": form["scope"]}
        message = "To sign in, open https://login.example/device and enter the code ABCD1234."
        return _json(
            200,
            {
                "device_code": "device-1",
                "user_code": "ABCD1234",
                "verification_uri": "https://login.example/device",
                "expires_in": 900,
                "interval": 0,
                "message": message,
            },
        )

    def _page(self, query: dict[str, str]) -> Answer:
        """The person agrees at once, or declines."""
        back: dict[str, str] = {"state": query.get("state", "")}
        if self.outcome:
            back |= {"error": self.outcome, "error_description": "no"}
        else:
            self._codes[code := f"code-{len(self._codes)}"] = query
            back |= {"code": code}
        return Answer(302, b"", headers=(("Location", f"{query['redirect_uri']}?{urlencode(back)}"),))

    def _token(self, form: dict[str, str]) -> Answer:
        if self.errors:
            return _refusal(*self.errors.pop(0))
        if form.get("client_id") != CLIENT:
            return _refusal("unauthorized_client", 700016)
        nonce, scope = "", form.get("scope", "")
        match form["grant_type"]:
            case "refresh_token":
                if form["refresh_token"] not in self.refresh_tokens:
                    return _refusal("invalid_grant", 70000)
                if not self.forgives:
                    self.refresh_tokens.discard(form["refresh_token"])
            case "authorization_code":
                query = self._codes.pop(form["code"], None)
                if query is None or not _is_verified(query, form.get("code_verifier", "")):
                    return _refusal("invalid_grant", 501481)
                nonce, scope = query.get("nonce", ""), query["scope"]
            case _:
                if self.slow_down > 0:
                    self.slow_down -= 1
                    return _refusal("slow_down", 50196)
                if self.pending > 0:
                    self.pending -= 1
                    return _refusal("authorization_pending", 70016)
                if self.outcome:
                    return _refusal(self.outcome, 0)
                scope = self._codes["device-1"]["scope"]
        return self._issue(scope, nonce, form.get("claims", ""))

    def _issue(self, scope: str, nonce: str, claims: str) -> Answer:
        self._issued += 1
        access, refresh = f"access-secret-{self._issued}", f"refresh-secret-{self._issued}"
        self.admit(access, claims)
        answer: Json = {
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": 3600,
            "ext_expires_in": 3600,
            "access_token": access,
            "id_token": _id_token(nonce),
            "client_info": _encoded({"uid": "user-1", "utid": TENANT}),
        }
        if self.offline:
            self.refresh_tokens.add(refresh)
            answer["refresh_token"] = refresh
        return _json(200, answer)


def _configuration(tenant: str) -> Json:
    root = f"{HOST}/{tenant}"
    return {
        "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
        "token_endpoint": f"{root}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{root}/oauth2/v2.0/devicecode",
        "issuer": f"{HOST}/{{tenantid}}/v2.0",
    }


def _is_verified(query: dict[str, str], verifier: str) -> bool:
    """RFC 7636, section 4.6"""
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return query.get("code_challenge_method") == "S256" and query.get("code_challenge") == digest


def _id_token(nonce: str) -> str:
    claims: Json = {
        "aud": CLIENT,
        "iss": f"{HOST}/{TENANT}/v2.0",
        "exp": 4102444800,
        "iat": 1700000000,
        "sub": "subject-1",
        "oid": "user-1",
        "tid": TENANT,
        "preferred_username": WHO,
    }
    return ".".join(
        (_encoded({"alg": "none"}), _encoded({**claims, **({"nonce": nonce} if nonce else {})}), "x")
    )


def _encoded(content: Json) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def _json(status: int, content: Any) -> Answer:
    return Answer(status, json.dumps(content).encode(), "application/json; charset=utf-8")


def _refusal(error: str, number: int, *, status: int = 400) -> Answer:
    numbers = {"error_codes": [number]} if number else {}
    return _json(status, {"error": error, "error_description": "no", **numbers})
