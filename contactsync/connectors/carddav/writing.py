"""Conditional writes with an outcome each (RFC 6352 section 6.3.2, RFC 9110 section 13)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count

from contactsync.connectors import dav
from contactsync.connectors.base import (
    Create,
    Delete,
    Outcome,
    Refused,
    Removed,
    Step,
    Stored,
    Unknown,
    Update,
)
from contactsync.connectors.davlogin import Transport
from contactsync.connectors.http import (
    Answer,
    Unreachable,
    backoff,
    classify,
    is_html,
    retry_after,
    web_page,
)
from contactsync.connectors.pacing import Done, Window, run_steps
from contactsync.errors import (
    AlreadyExists,
    AuthError,
    BookGone,
    NotFound,
    PayloadRejected,
    PermissionDenied,
    PreconditionFailed,
    RemoteError,
    TransientError,
)

_TYPE = {"Content-Type": "text/vcard; charset=utf-8"}
_LOCKED = 423
_NOT_DONE = frozenset({_LOCKED, 429, 503})
_TRIES = {_LOCKED: 8, 429: 5, 503: 5, 500: 4}
#: Seconds: a lock that another write holds is gone when that is done.
_PAUSE, _PAUSE_LOCKED = 0.1, 0.01
_ETAG_ONLY = dav.propfind(dav.ETAG)


class Writer:
    """The writing half of the connector, over one transport."""

    def __init__(
        self, transport: Transport, parallel: int, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._transport = transport
        self._parallel = parallel
        self._pause = pause
        self._locked_out: AuthError | None = None

    def write(self, book: str, steps: Iterable[Step]) -> Iterator[Outcome]:
        return run_steps(steps, lambda step: self._do(book, step), Window(self._parallel))

    def _do(self, book: str, step: Step) -> Done[Outcome]:
        """After a refused login nothing more is sent: some providers lock an account for less."""
        if self._locked_out is not None:
            return Done(Refused(step.key, self._locked_out), stop=True)
        try:
            answer, pushed_back = self._send(book, step)
            return Done(self._outcome(book, step, answer), pushed_back)
        except AuthError as error:
            self._locked_out = error
            return Done(Refused(step.key, error), stop=True)
        except RemoteError as error:
            in_doubt = isinstance(error, TransientError) and not isinstance(error, Unreachable)
            outcome = Unknown(step.key, error) if in_doubt else Refused(step.key, error)
            return Done(outcome, pushed_back=isinstance(error, TransientError))

    def _send(self, book: str, step: Step) -> tuple[Answer, bool]:
        """The answer, and whether the server pushed back. 423, 429 and 503 say that nothing was
        done, and 500 is Xandikos' way to say so under parallel writes: each step is conditional,
        so that another try cannot do it twice."""
        method, href, body, headers = _request(book, step)
        pushed_back = False
        for attempt in count(1):
            answer = self._transport.request(method, href, body, headers)
            locked = answer.status == _LOCKED
            pushed_back = pushed_back or answer.status in _NOT_DONE or answer.status >= 500
            if locked:
                self._transport.saw("locked")
            if attempt >= _TRIES.get(answer.status, 0):
                break
            first = _PAUSE_LOCKED if locked else _PAUSE
            self._pause(backoff(attempt - 1, retry_after(answer.headers), first))
        return answer, pushed_back

    def _outcome(self, book: str, step: Step, answer: Answer) -> Outcome:
        _, href, _, _ = _request(book, step)
        if answer.status == 200 and is_html(answer.headers, answer.body):
            # a captive portal; Apache has a page as well, but with 201
            return Unknown(step.key, web_page(answer.status, href))
        if isinstance(step, Delete):
            if answer.ok or answer.status in (404, 410):
                return Removed(step.key, href)
        elif answer.ok:
            if answer.etag is None:
                self._transport.saw("no-etag")
            return Stored(step.key, self._stored_at(href, answer), answer.etag)
        error = classify(answer.status, answer.headers, answer.body, href)
        if answer.status == 500 and not isinstance(step, Delete) and self._is_untouched(step, href):
            self._transport.saw("fails-on-a-card")
            reason = "The server fails on this card whenever it is sent (500), and on nothing else."
            return Refused(step.key, PayloadRejected(reason, status=500, href=href))
        if isinstance(error, TransientError) and answer.status not in _NOT_DONE:
            return Unknown(step.key, error)
        if type(error) is PreconditionFailed and answer.status == 412:
            return self._explain(step, href, error)
        if isinstance(step, Create) and self._book_is_gone(book, error):
            return Refused(
                step.key, BookGone(f"The address book {book} is not there.", status=answer.status, href=book)
            )
        return Refused(step.key, error)

    def _stored_at(self, href: str, answer: Answer) -> str:
        """Where the card is now: a server may name it anew and say so (RFC 9110 section 10.2.2)."""
        location = answer.headers.get("Location", "")
        if not location or dav.foreign_host(location, self._transport.origin) is not None:
            return href
        there = dav.resolve(location, href)
        return href if dav.same_path(there, href) else there

    def _book_is_gone(self, book: str, error: RemoteError) -> bool:
        """RFC 4918 section 9.7.1: 409 when the parent is missing; Cyrus says 403."""
        if type(error) is PermissionDenied:
            return not self._etag(book)[0]
        return error.status in (404, 409) and type(error) is not AlreadyExists

    def _is_untouched(self, step: Create | Update, href: str) -> bool:
        """The server is well and shows that the step was not done. Raises where it is not well."""
        there, etag = self._etag(href)
        return (there and etag == step.etag) if isinstance(step, Update) else not there

    def _explain(self, step: Step, href: str, error: PreconditionFailed) -> Outcome:
        """What a bare 412 means: Radicale says it of a card over 10 MB as well, and some servers of
        a conditional DELETE of what is gone."""
        there, etag = self._etag(href)
        if isinstance(step, Delete):
            return Refused(step.key, error) if there else Removed(step.key, href)
        if isinstance(step, Create) and there:
            return Refused(step.key, AlreadyExists("There is a card of this name.", status=412, href=href))
        if isinstance(step, Update) and not there:
            return Refused(step.key, NotFound("That is not on the server any more.", status=412, href=href))
        if isinstance(step, Update) and etag != step.etag:
            return Refused(step.key, error)
        self._transport.saw("vague-412")
        reason = "The server refuses this card though nothing speaks against it; it may be too large."
        return Refused(step.key, PayloadRejected(reason, status=412, href=href))

    def _etag(self, href: str) -> tuple[bool, str | None]:
        """Is the card there, and with which etag?"""
        try:
            answer = self._transport.multistatus("PROPFIND", href, _ETAG_ONLY)
        except NotFound:
            return False, None
        item = answer.items[0] if answer.items else None
        if item is None or item.gone:
            # Xandikos: 207 with a row of status 404
            return False, None
        return True, item.text(dav.ETAG)


def _request(book: str, step: Step) -> tuple[str, str, bytes, dict[str, str]]:
    """Method, path, body and headers. Content-Length comes by itself: the body is whole, and
    Radicale refuses chunks."""
    if isinstance(step, Create):
        return (
            "PUT",
            f"{book.rstrip('/')}/{step.href_hint}.vcf",
            step.payload,
            {**_TYPE, "If-None-Match": "*"},
        )
    if step.etag is None:
        raise PreconditionFailed("The card was decided on without its etag.", href=step.href)
    condition = {"If-Match": step.etag}
    if isinstance(step, Update):
        return "PUT", step.href, step.payload, {**_TYPE, **condition}
    return "DELETE", step.href, b"", condition
