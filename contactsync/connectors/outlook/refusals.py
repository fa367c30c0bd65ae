"""What an answer of Graph that is an error means (facts: errors and throttling)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contactsync import errors
from contactsync.connectors.http import is_html, retry_after, web_page
from contactsync.errors import AuthError, RemoteError, TransientError

_FORBIDDEN = ("ErrorAccessDenied", "Authorization_RequestDenied", "AccessDenied")
_NO_MAILBOX = ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "ErrorNonExistentMailbox")
_FULL = ("ErrorQuotaExceeded", "ErrorMessageSizeExceeded", "QuotaExceeded")


def classify(status: int, headers: Mapping[str, str], body: bytes, href: str) -> RemoteError:
    """The error of an answer that is not good; ``recovery`` says what follows."""
    if is_html(headers, body) and status < 500:
        return web_page(status, href)
    code, message = said(body)
    error = _kind(status, code, message.rstrip("."), href)
    if isinstance(error, TransientError):
        error.retry_after = retry_after(headers)
    return error


def said(body: bytes) -> tuple[str, str]:
    """``error.code`` and ``error.message``; one branches on the first only."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    error: Any = content.get("error") if isinstance(content, dict) else None
    error = error if isinstance(error, dict) else {}
    return str(error.get("code", "")), str(error.get("message", ""))


def _kind(status: int, code: str, message: str, href: str) -> RemoteError:
    if code in _NO_MAILBOX:
        return RemoteError(
            "This login has no mailbox at Exchange Online, so there are no contacts.",
            hint="A mailbox on a server of one's own, or an account without a license, has none.",
            status=status,
        )
    if status == 507 or code in _FULL:
        hint = "Make room there first; emptying Deleted Items helps."
        return RemoteError("There is no room left in this mailbox.", hint=hint, status=status)
    match status:
        case 400 | 413 | 422:
            return errors.PayloadRejected(
                f"Outlook refuses this contact: {message or code}.", status=status, href=href
            )
        case 401:
            return _login(message)
        case 403 if code in _FORBIDDEN:
            hint = "The administrator of your organisation can allow it: permission Contacts.ReadWrite."
            return RemoteError("Microsoft does not let this app at the contacts.", hint=hint, status=403)
        case 403:
            return errors.PermissionDenied(
                f"Outlook does not allow that: {message or code}.", status=403, href=href
            )
        case 404:
            return errors.NotFound("That is not in the mailbox.", status=404, href=href)
        case 409:
            return errors.AlreadyExists("That is in the mailbox already.", status=409, href=href)
        case 410:
            return errors.SyncTokenExpired(
                "Outlook does not know our place in its list any more.", status=status
            )
        case 412:
            return errors.PreconditionFailed(
                "The contact changed in Outlook since it was read.", status=412, href=href
            )
        case 429:
            return TransientError(
                "Microsoft wants fewer requests.", hint="Try again in a minute.", status=429
            )
        case _ if status >= 500:
            words = f"Microsoft has a problem of its own ({code or status})."
            return TransientError(words, hint="Try again later.", status=status)
        case _:
            return errors.ProtocolError(
                f"Microsoft gave an unexpected answer ({status}).", status=status, href=href
            )


def _login(message: str) -> AuthError:
    if "lifetime validation" in message.lower():
        hint = "Is the clock of this machine right?"
        return AuthError("Microsoft finds that the login is of another time.", hint=hint, status=401)
    return AuthError("Microsoft refuses the login.", hint="Log in again.", status=401)


#: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_BY_NUMBER = {
    50020: ("This account does not belong to the organisation of the app.", "Log in with another account."),
    50105: ("Your organisation has not given this app to you.", "Ask its administrator."),
    53000: ("Your organisation lets only devices in that it manages.", "Ask its administrator."),
    53003: ("A rule of your organisation (conditional access) keeps the app out.", "Ask its administrator."),
    65001: ("Nobody has agreed yet that the app may see and change the contacts.", "{again}"),
    65004: ("Access was declined on the page.", "Start again, and accept."),
    70011: ("The app may not ask for the permission Contacts.ReadWrite.", "Add it in its registration."),
    90094: ("An administrator of your organisation has to agree to this app.", "Ask them, then: {again}"),
    90002: ("There is no such organisation.", "Check --authority."),
    700016: ("Microsoft does not know this app.", "Check --client-id, and which accounts the app is for."),
    700082: ("The login was not used for so long that it ended.", "{again}"),
    7000218: (
        "The app may not be used on a device.",
        'Set "Allow public client flows" to Yes in its registration.',
    ),
}
_BY_ERROR = {
    "authorization_declined": ("Access was declined on the page.", "Start again, and accept."),
    "access_denied": ("Access was declined on the page.", "Start again, and accept."),
    "expired_token": ("Nobody entered the code in time.", "Start again; a code is good for 15 minutes."),
    "authorization_pending": ("Nobody entered the code in time.", "Start again."),
    "interaction_required": ("Microsoft wants to see you on its page again.", "{again}"),
    "consent_required": (
        "Nobody has agreed yet that the app may see and change the contacts.",
        "{again}",
    ),
    "invalid_client": ("Microsoft does not know this app.", "Check --client-id."),
    "unauthorized_client": ("Microsoft does not know this app.", "Check --client-id."),
    "invalid_grant": (
        "Microsoft does not accept the login any more.",
        "The password was changed, consent was withdrawn, or the login ended. {again}",
    ),
}


def login_refused(result: Mapping[str, Any], account: str) -> RemoteError:
    """Why there is no token; ``result`` is what the library gives then, of which nothing is repeated."""
    error, numbers = str(result.get("error", "")), result.get("error_codes") or ()
    found = next((_BY_NUMBER[number] for number in numbers if number in _BY_NUMBER), None)
    found = found or _BY_ERROR.get(error)
    if found is None and error in ("temporarily_unavailable", "server_error"):
        return TransientError("Microsoft cannot log anybody in at the moment.", hint="Try again later.")
    message, hint = found or (f"Microsoft did not give a login: {error or 'it gave no reason'}.", "{again}")
    return AuthError(message, hint=hint.format(again=f"Run: contactsync account login {account}"))
