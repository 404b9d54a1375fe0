"""Checks name, port and TLS of a master with its own sockets, to find the exact reason of a failed connection."""

from __future__ import annotations

import datetime
import errno
import hmac
import socket
import ssl
from typing import Final

from ....common.auth.keys import Credential
from ....common.auth.leaf import RENEW, RENEW_DAYS, shown_by
from ....common.errors import TqError
from ....common.runtime.checkup import Checkup
from ....common.wire.address import Address, is_loopback
from ....common.wire.tls import ALPN, OwnCa, client_context

CONNECT_SECONDS: Final = 5.0  # longer than a master takes to refuse the sixth wrong key
SHOWN_BYTES: Final = 8  # of a fingerprint: enough for eyes

_START: Final = "start it, or give the right address by --url tq://HOST:PORT or TQ_URL"


def look(found: Checkup, address: Address, credential: Credential | None, own_ca: OwnCa) -> bool:
    """Whether a tq-master with the right certificate answers there."""
    try:
        places = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no name of a host"
        found.fail(
            "address", f"{address}: no address is known for {address.host} ({why}); is the name right?"
        )
        return False
    try:
        with socket.create_connection((address.host, address.port), CONNECT_SECONDS) as connection:
            peer = Address(*connection.getpeername()[:2])
            # A name with several addresses may lead to different hosts.
            names = len({place[4][0] for place in places})
            also = (
                ""
                if peer.host == address.host
                else f" is {peer.host}" + (f" and {names - 1} more" * (names > 1))
            )
            found.ok("address", f"{address}{also}; it accepts connections")
            return _look_at_tls(found, address, connection, credential, own_ca)
    except OSError as error:
        found.fail("address", _why_not(address, error))
        return False


def _why_not(address: Address, error: OSError) -> str:
    # Silence is a firewall as a rule: a host that is up and has no master refuses at once.
    if isinstance(error, TimeoutError):
        return (
            f"{address} did not answer within {CONNECT_SECONDS:g} s: a firewall drops it, or the host is down; "
            f"open port {address.port}, or mend the address"
        )
    if error.errno == errno.ECONNREFUSED:
        text = f"no program listens on {address}: no tq-master runs there, or it has another port; {_START}"
        if not is_loopback(address.host):
            text += "; a master without --bind listens on its own loopback only"
        return text
    return f"cannot connect to {address}: {error.strerror or error}"


def _look_at_tls(
    found: Checkup, address: Address, connection: socket.socket, credential: Credential | None, own_ca: OwnCa
) -> bool:
    try:
        context = client_context(*own_ca)
        hostname = address.host if context.check_hostname else None
        with context.wrap_socket(connection, server_hostname=hostname) as tls:
            version, spoken, certificate = tls.version(), tls.selected_alpn_protocol(), tls.getpeercert(True)
    except TqError as error:
        found.fail("TLS", str(error))
        return False
    except ssl.SSLCertVerificationError as error:
        found.fail("TLS", f"the certificate is not of your CA (TQ_CA_FILE): {error.verify_message}")
        return False
    except (ssl.SSLError, OSError) as error:
        found.fail("TLS", f"no tq-master is at {address}: {_stranger(error)}; is it the right port?")
        return False
    if spoken != ALPN or certificate is None:
        found.fail(
            "TLS", f"no tq-master is at {address}: it speaks {version}, but not {ALPN}; is it the right port?"
        )
        return False
    shown = shown_by(certificate)
    of = (
        ""
        if shown.leaf is None
        else f" of the cluster, for {shown.leaf.name} until {shown.leaf.until:%Y-%m-%d}"
    )
    found.ok("TLS", f"{version}, certificate {_shown(shown.pin)}{of}")
    if shown.leaf is not None and shown.leaf.days_left(datetime.datetime.now(datetime.UTC)) <= RENEW_DAYS:
        found.warn(
            "TLS", f"the certificate of {shown.leaf.name} ends soon, or has ended; on that host: {RENEW}"
        )
    return credential is None or _look_at_pin(found, credential, shown.pin)


def _stranger(error: OSError) -> str:
    reason = getattr(error, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "what answers does not speak TLS (an HTTP server does so, also the one of --http)"
    if isinstance(error, TimeoutError):
        return f"what listens says nothing within {CONNECT_SECONDS:g} s"
    return f"what answers does not shake hands ({str(reason).replace('_', ' ').lower() or error})"


def _look_at_pin(found: Checkup, credential: Credential, pin: bytes) -> bool:
    if credential.pin is None:
        found.ok("pin", "an authkey has none; the proof of the key is bound to the certificate")
        return True
    if hmac.compare_digest(credential.pin, pin):
        found.ok("pin", "the certificate is the one that the key was made for")
        return True
    found.fail(
        "pin",
        f"the key was made for a master with the certificate {_shown(credential.pin)}: this is another master, or "
        "its data directory was recreated (copy a new key from there: `tq keys add`), or the connection is intercepted",
    )
    return False


def _shown(pin: bytes) -> str:
    return f"{pin[:SHOWN_BYTES].hex(':')}:…"
