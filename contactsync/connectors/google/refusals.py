"""What an answer of Google that is an error means (facts: errors, and the shape of google.rpc.Status)."""

from __future__ import annotations

import json
from typing import Any

from contactsync import errors
from contactsync.connectors.http import Answer, is_html, retry_after, web_page
from contactsync.errors import AuthError, RemoteError, TransientError

_ENABLE = "Enable it in the Google Cloud console for the project of your client, and wait a few minutes."
_QUOTA = ("RATE_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "rateLimitExceeded", "userRateLimitExceeded")


def classify(answer: Answer, href: str) -> RemoteError:
    """The error of an answer that is not good; ``recovery`` says what follows."""
    if is_html(answer.headers, answer.body):
        return _page(answer, href)
    said = _said(answer.body)
    error = _kind(answer.status, said, href)
    if isinstance(error, TransientError):
        error.retry_after = retry_after(answer.headers)
    return error


def _page(answer: Answer, href: str) -> RemoteError:
    if answer.status >= 500 or answer.status == 429:
        return TransientError(f"Google has a problem of its own ({answer.status}).", status=answer.status)
    if answer.status == 404:
        return errors.NotFound("That is not at Google.", status=404, href=href)
    return web_page(answer.status, href)


class _Said:
    """``error`` of the answer: status, message, and the reasons in its details."""

    def __init__(self, content: Any) -> None:
        error = content.get("error") if isinstance(content, dict) else None
        error = error if isinstance(error, dict) else {}
        self.status = str(error.get("status", ""))
        self.message = str(error.get("message", ""))
        details = error.get("details")
        rows = [row for row in details if isinstance(row, dict)] if isinstance(details, list) else []
        self.reasons = {str(row["reason"]) for row in rows if "reason" in row}

    def has(self, *words: str) -> bool:
        return any(word in self.reasons or word == self.status for word in words)


def _said(body: bytes) -> _Said:
    try:
        return _Said(json.loads(body))
    except ValueError:
        return _Said(None)


def _kind(status: int, said: _Said, href: str) -> RemoteError:
    text = said.message.rstrip(".")
    if status == 410 or said.has("EXPIRED_SYNC_TOKEN") or text.startswith("Sync token is expired"):
        return errors.SyncTokenExpired("Google does not know our place in its list any more.", status=status)
    if status == 429 or said.has(*_QUOTA):
        return TransientError("Google wants fewer requests.", hint="Try again in a minute.", status=429)
    if "OVERFLOW_COUNT" in text:
        hint = "A Google account holds 25,000 contacts; those in its trash count."
        return errors.PermissionDenied("There is no room left at Google.", hint=hint, status=status)
    match status:
        case 400 if said.has("FAILED_PRECONDITION") and "etag" in text:
            return errors.PreconditionFailed("The contact changed at Google since it was read.", status=400)
        case 400 | 413:
            return errors.PayloadRejected(f"Google refuses this contact: {text}.", status=status, href=href)
        case 401:
            return AuthError("Google refuses the login.", status=401, hint="Log in again.")
        case 403:
            return _forbidden(said, text)
        case 404:
            return errors.NotFound("That is not at Google.", status=404, href=href)
        case 409 if said.has("ABORTED"):
            return TransientError("Google was busy with another change.", hint="Try again later.", status=409)
        case 409:
            return errors.AlreadyExists("That is at Google already.", status=409, href=href)
        case _ if status >= 500:
            return TransientError(
                f"Google has a problem of its own ({status}).", hint="Try again later.", status=status
            )
        case _:
            return errors.ProtocolError(
                f"Google gave an unexpected answer ({status}).", status=status, href=href
            )


def _forbidden(said: _Said, text: str) -> RemoteError:
    if said.has("SERVICE_DISABLED"):
        return RemoteError("The People API is not enabled for your client.", hint=_ENABLE, status=403)
    if said.has("ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
        hint = "Log in again, and leave the box for contacts ticked."
        return AuthError("The login does not extend to contacts.", hint=hint, status=403)
    return errors.PermissionDenied(f"Google does not allow that: {text}.", status=403)


def login_refused(cause: str, account: str) -> RemoteError:
    """A login that cannot be renewed; ``cause`` is what the library says, which holds no secret."""
    again = f"Run: contactsync account login {account}"
    if "invalid_grant" in cause:
        return AuthError(
            "Google does not accept the login any more.",
            hint="Consent was withdrawn, or the app of your client is in testing mode, where a login lasts "
            f"7 days (publish it to change that). {again}",
        )
    if "invalid_client" in cause or "unauthorized_client" in cause:
        return AuthError(
            "Google does not know the client of this login any more.",
            hint=f"Was it deleted in the Google Cloud console? {again} --client-file client_secret.json",
        )
    if "invalid_scope" in cause:
        return AuthError("The login does not extend to contacts.", hint=again)
    return TransientError("The login could not be renewed at Google.", hint="Try again later.")
