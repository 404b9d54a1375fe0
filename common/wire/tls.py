"""TLS 1.3 without sockets: ciphertext in, plaintext out, and back. One pipe per connection.

``ssl`` over memory buffers instead of asyncio's transport: the same code serves every shell, a deadline
can stand between any two records, and an idle connection holds no 256 KiB read buffer.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from ..errors import ConfigError, ProtocolError, Rejected, Unreachable

ALPN: Final = "tq/1"  # of all versions of the protocol: which one is spoken is agreed in the handshake
BAD_RECORD: Final = "BAD_RECORD_MAC"  # as OpenSSL calls it
# Put into a memory BIO at once: it keeps the room that it once needed, for good
PORTION_BYTES: Final = 64 * 1024
READ_BYTES: Final = 256 * 1024  # asked of ssl at once; it gives what it has


def server_context(certificate: Path, key: Path, client_ca: Path | None = None) -> ssl.SSLContext:
    """A master's side. ``client_ca``: clients must show a certificate of it, besides their key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context)
    context.num_tickets = 0  # no resumption: every connection proves the key again
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as error:
        raise ConfigError(
            f"cannot use the certificate {certificate} with {key}: {error}; restore both from a copy, or remove both and start "
            "tq-master once with --new-certificate: then every join token must be made again"
        ) from error
    if client_ca is not None:
        try:
            context.load_verify_locations(client_ca)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"cannot use client_ca_file {client_ca}: {error}") from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class OwnCa(NamedTuple):
    """What a caller has of its user's own CA, besides the key; as a rule nothing."""

    ca_file: Path | None = None  # PEM: certificates that the master's has to come from
    certificate_file: Path | None = None  # PEM: a certificate to show, followed by its key


NO_CA: Final = OwnCa()


@lru_cache(maxsize=16)
def client_context(ca_file: Path | None = None, certificate_file: Path | None = None) -> ssl.SSLContext:
    """A caller's side. Without a CA the certificate is judged by pin and by the proof bound to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context)
    if ca_file is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # see handshake.py: the proof is bound to the certificate
    else:
        try:
            context.load_verify_locations(ca_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(f"cannot use the CA file {ca_file}: {error}") from error
    if certificate_file is not None:
        try:
            context.load_cert_chain(certificate_file)
        except (ssl.SSLError, OSError) as error:
            raise ConfigError(
                f"cannot use the certificate file {certificate_file}: {error}; it holds a certificate and its key, PEM"
            ) from error
    return context


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols([ALPN])
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


class TlsPipe:
    """One connection's TLS. Feed what arrives to ``receive``; write what ``take_output`` gives.

    ``broken``: an error has ended it. Nothing can be sent or received any more but the alert that waits in
    ``take_output``, so its connection is closed at once.
    """

    def __init__(
        self, context: ssl.SSLContext, *, server_side: bool, server_hostname: str | None = None
    ) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._ssl = context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_side=server_side,
            # Without a CA no name is sent: it would be checked by no one and be read by all on the way.
            server_hostname=None if server_side or not context.check_hostname else server_hostname,
        )
        self._encrypted: list[bytes] = []  # of a long message, on its way to take_output
        self._server_side = server_side
        self._begun = False
        self.established = self.broken = False
        self.eof = False  # the peer said that it sends no more
        self.peer_certificate: bytes | None = None  # DER
        if not server_side:
            self._shake_hands()

    def receive(self, ciphertext: bytes) -> bytes:
        """Plaintext that has become available: only what was decrypted shows that the peer is there. ProtocolError when
        the peer does not speak TLS, Unreachable when what it sent was damaged on its way."""
        try:
            if self.established and len(ciphertext) <= PORTION_BYTES:  # nearly always
                self._incoming.write(ciphertext)
                return self._read()
            return self._receive(ciphertext)
        except BaseException:
            self.broken = True
            raise

    def _receive(self, ciphertext: bytes) -> bytes:
        if not self._begun and self._server_side:
            _recognise(ciphertext)
            self._begun = True
        if len(ciphertext) <= PORTION_BYTES:
            return self._receive_portion(ciphertext)
        return b"".join(map(self._receive_portion, _portions(ciphertext)))

    def _receive_portion(self, ciphertext: bytes | memoryview) -> bytes:
        self._incoming.write(ciphertext)
        if not self.established:
            self._shake_hands()
            # More bytes are needed: nothing was decrypted yet.
            if not self.established:
                return b""
        return self._read()

    def send(self, plaintext: bytes) -> None:
        """Encrypt; the result waits in ``take_output``. ProtocolError when that is over."""
        try:
            if len(plaintext) <= PORTION_BYTES:
                self._ssl.write(plaintext)
            else:
                for portion in _portions(plaintext):
                    self._ssl.write(portion)
                    self._encrypted.append(self._outgoing.read())
        except ssl.SSLError as error:
            self.broken = True
            raise ProtocolError(f"TLS cannot send: {_reason(error)}") from None

    def take_output(self) -> bytes:
        if not self._encrypted:
            return self._outgoing.read()
        encrypted, self._encrypted = self._encrypted, []
        return b"".join([*encrypted, self._outgoing.read()])

    def _shake_hands(self) -> None:
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return
        except ssl.SSLCertVerificationError as error:
            raise Rejected(f"the master's certificate is not trusted: {error.verify_message}") from None
        except ssl.SSLError as error:
            # It speaks TLS, and bytes were changed on their way: so says this side, or the peer in its alert.
            if BAD_RECORD in str(error.reason):
                raise Unreachable(f"the connection was damaged on its way: {_reason(error)}") from None
            raise ProtocolError(
                f"no TLS with this peer: {_reason(error)}; is it a tq-master's port?"
            ) from None
        # Another service with TLS at this port: better a sentence than a garbled first frame.
        if self._ssl.selected_alpn_protocol() != ALPN:
            raise ProtocolError(f"the peer speaks TLS but not {ALPN}; is it a tq-master's port?")
        self.established = True
        self.peer_certificate = self._ssl.getpeercert(binary_form=True)

    def _read(self) -> bytes:
        chunks: list[bytes] = []
        try:
            # Until it asks for more: OpenSSL gives one record at a time, and no further bytes need come for those that are here.
            while chunk := self._ssl.read(READ_BYTES):
                chunks.append(chunk)
            self.eof = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.eof = True
        except ssl.SSLError as error:
            # The peer speaks TLS, so it is worth another try.
            raise Unreachable(f"TLS broke: {_reason(error)}") from None
        # Mostly one: no copy of it.
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _portions(data: bytes) -> Iterator[memoryview]:
    view = memoryview(data)
    return (view[start : start + PORTION_BYTES] for start in range(0, len(data), PORTION_BYTES))


def _recognise(first: bytes) -> None:
    """A sentence for the usual strangers, instead of OpenSSL's."""
    if first[:1] != b"\x16":
        if first.split(b" ", 1)[0] in (b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"PRI", b"CONNECT"):
            raise ProtocolError("this is tq's port, it speaks no HTTP")
        raise ProtocolError("the peer does not speak TLS")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").lower()
