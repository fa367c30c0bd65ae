"""TLS: whom we trust, and what a failed handshake means to a person."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

from contactsync.errors import ConfigError, RemoteError

_OWN_AUTHORITY = "If the server has its own certificate authority, set ca_file to its certificate."
_CLOCK = "Check the date of this device; if it is right, the server needs a new certificate."
_OTHER_NAME = "Use the name that the certificate is for, or ask whoever runs the server."

# OpenSSL, x509_vfy.h: X509_V_ERR_*
_HINT_OF_CERTIFICATE = {9: _CLOCK, 10: _CLOCK, 62: _OTHER_NAME, 63: _OTHER_NAME, 64: _OTHER_NAME}

_CERTIFICATE_WANTED = (
    "wants a certificate from you.",
    "Set client_cert to a file with it and its key (PEM).",
)
_CERTIFICATE_REFUSED = ("does not accept the certificate in client_cert.", "Ask whoever runs the server.")
_TOO_OLD = ("speaks only an old TLS, which is not safe.", "It needs TLS 1.2 or newer.")
_NO_TLS = ("does not speak TLS at this port.", "Is it an https port?")

# OpenSSL, sslerr.h; what RFC 8446 section 6.2 calls the alerts
_BY_REASON = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": _CERTIFICATE_WANTED,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": _CERTIFICATE_WANTED,
    "TLSV1_ALERT_UNKNOWN_CA": _CERTIFICATE_REFUSED,
    "SSLV3_ALERT_BAD_CERTIFICATE": _CERTIFICATE_REFUSED,
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": _CERTIFICATE_REFUSED,
    "TLSV1_ALERT_PROTOCOL_VERSION": _TOO_OLD,
    "UNSUPPORTED_PROTOCOL": _TOO_OLD,
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
}


def system_trust() -> ssl.SSLContext:
    """The certificates that the operating system trusts; a new context, as a client's own certificate
    becomes part of it."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def require_files(account: str, *, ca_file: str, client_cert: str) -> None:
    """Raises `ConfigError` for a file that is not there or holds something else; each may be empty."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_file and not Path(ca_file).is_dir():
        _load(context.load_verify_locations, account, "ca_file", ca_file, "certificates")
    if client_cert:
        _load(context.load_cert_chain, account, "client_cert", client_cert, "a certificate and its key")


def _load(load: Callable[[str], None], account: str, key: str, path: str, content: str) -> None:
    try:
        load(path)
    except ssl.SSLError:
        raise ConfigError([f"account {account}: {key}: {path} does not hold {content} (PEM)"]) from None
    except OSError as error:
        raise ConfigError([f"account {account}: {key}: {path}: {error.strerror}"]) from None


def tls_error(chain: Iterable[BaseException], host: str) -> RemoteError:
    """``chain`` is the error with all that caused it."""
    causes = [cause for cause in chain if isinstance(cause, ssl.SSLError)]
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = _HINT_OF_CERTIFICATE.get(cause.verify_code, _OWN_AUTHORITY)
            reason = cause.verify_message.rstrip(".")
            return RemoteError(f"The certificate of {host} is not valid: {reason}.", hint=hint)
    known = (_BY_REASON[cause.reason] for cause in causes if cause.reason in _BY_REASON)
    what, hint = next(known, ("does not agree on a TLS connection.", "Is it an https port?"))
    return RemoteError(f"{host} {what}", hint=hint)
