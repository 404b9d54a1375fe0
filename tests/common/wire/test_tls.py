"""The channel: TLS 1.3 and nothing older, tq's own protocol in it, and the pin before the first word."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint
from tq.common.auth.keys import Credential
from tq.common.domain.model import Role
from tq.common.errors import ConfigError, ProtocolError, Rejected, Unreachable
from tq.common.wire.address import Address
from tq.common.wire.connection import CallerConnection
from tq.common.wire.tls import ALPN, TlsPipe, client_context, server_context

SECONDS = 5.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificate")
    ensure_certificate(folder)
    return folder


@pytest.fixture(scope="module")
def context(folder: Path) -> ssl.SSLContext:
    return server_context(*ensure_certificate(folder))


@pytest.fixture(scope="module")
def certificate(folder: Path) -> bytes:
    return certificate_der(ensure_certificate(folder)[0])


class Pair:
    """A client and a server that hand each other what they would send."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext, hostname: str | None = None) -> None:
        self.server = TlsPipe(server, server_side=True)
        self.client = TlsPipe(client, server_side=False, server_hostname=hostname)
        self.received = {self.server: b"", self.client: b""}

    def carry(self) -> None:
        """Until neither has anything to say."""
        while any([self._carry(self.client, self.server), self._carry(self.server, self.client)]):
            pass

    def _carry(self, source: TlsPipe, target: TlsPipe) -> bool:
        data = source.take_output()
        if data:
            self.received[target] += target.receive(data)
        return bool(data)


def stranger(**changes: object) -> ssl.SSLContext:
    """A client's context that is not tq's."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_alpn_protocols([ALPN])
    for name, value in changes.items():
        setattr(made, name, value)
    return made


# what is spoken


def test_both_sides_speak_tls_1_3_and_nothing_else(context: ssl.SSLContext) -> None:
    for one in (context, client_context()):
        assert one.minimum_version == ssl.TLSVersion.TLSv1_3
    pair = Pair(context, client_context())
    pair.carry()
    assert pair.server.established
    assert pair.client.established
    assert cast(ssl.SSLObject, pair.client._ssl).version() == "TLSv1.3"


def test_a_client_of_tls_1_2_is_refused(context: ssl.SSLContext) -> None:
    pair = Pair(context, stranger(maximum_version=ssl.TLSVersion.TLSv1_2))
    with pytest.raises(ProtocolError, match=r"no TLS with this peer: .*protocol"):
        pair.carry()
    assert not pair.server.established


def test_a_master_of_tls_1_2_is_refused(folder: Path) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(*ensure_certificate(folder))
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    pair = Pair(old, client_context())
    with pytest.raises(ProtocolError):
        pair.carry()
    assert not pair.client.established


@pytest.mark.parametrize("protocols", [None, ["h2", "http/1.1"], ["tq/2"]])
def test_a_client_of_another_protocol_is_refused(
    context: ssl.SSLContext, protocols: list[str] | None
) -> None:
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    other.check_hostname, other.verify_mode = False, ssl.CERT_NONE
    if protocols:
        other.set_alpn_protocols(protocols)
    pipe = TlsPipe(context, server_side=True)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = other.wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    pipe.receive(outgoing.read())
    incoming.write(pipe.take_output())
    client.do_handshake()
    with pytest.raises(ProtocolError, match=f"the peer speaks TLS but not {ALPN}; is it a tq-master's port"):
        pipe.receive(outgoing.read())
    assert not pipe.established


def test_another_tls_server_is_distinguished_from_a_tq_master(folder: Path) -> None:
    web = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    web.load_cert_chain(*ensure_certificate(folder))
    client = TlsPipe(client_context(), server_side=False)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = web.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(client.take_output())
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    with pytest.raises(ProtocolError, match="is it a tq-master's port"):
        client.receive(outgoing.read())


def test_no_session_is_resumed(context: ssl.SSLContext) -> None:
    """Every connection proves the key again, so no ticket is given out."""
    assert context.num_tickets == 0
    pair = Pair(context, client_context())
    pair.carry()
    pair.server.send(b"hello")
    pair.carry()
    session = cast(ssl.SSLObject, pair.client._ssl).session
    assert session is None or not session.has_ticket


# what travels


def test_what_is_sent_arrives_and_the_certificate_is_known(
    context: ssl.SSLContext, certificate: bytes
) -> None:
    pair = Pair(context, client_context())
    pair.carry()
    assert pair.client.peer_certificate == certificate
    pair.client.send(b"x" * 600_000)
    pair.server.send(b"y")
    pair.carry()
    assert pair.received[pair.server] == b"x" * 600_000
    assert pair.received[pair.client] == b"y"


def test_what_is_sent_is_not_readable_on_the_way(context: ssl.SSLContext) -> None:
    pair = Pair(context, client_context())
    pair.carry()
    pair.client.send(b"a plain sentence")
    assert b"plain" not in pair.client.take_output()


def test_a_stream_cut_into_single_bytes_is_the_same_stream(context: ssl.SSLContext) -> None:
    pair = Pair(context, client_context())
    for _ in range(4):
        for source, target in ((pair.client, pair.server), (pair.server, pair.client)):
            for byte in source.take_output():
                pair.received[target] += target.receive(bytes([byte]))
    pair.client.send(b"hello")
    got = b"".join(pair.server.receive(bytes([byte])) for byte in pair.client.take_output())
    assert got == b"hello"


def test_a_record_changed_on_the_way_breaks_the_channel(context: ssl.SSLContext) -> None:
    for place in (0, 5, -1):
        pair = Pair(context, client_context())
        pair.carry()
        pair.client.send(b"hello")
        record = bytearray(pair.client.take_output())
        record[place] ^= 1
        with pytest.raises(Unreachable, match="TLS broke"):
            pair.server.receive(bytes(record))


def test_a_record_sent_twice_breaks_the_channel(context: ssl.SSLContext) -> None:
    pair = Pair(context, client_context())
    pair.carry()
    pair.client.send(b"hello")
    record = pair.client.take_output()
    assert pair.server.receive(record) == b"hello"
    with pytest.raises(Unreachable, match="TLS broke"):
        pair.server.receive(record)


def test_a_record_changed_during_the_handshake_is_no_reason_to_give_up(context: ssl.SSLContext) -> None:
    pair = Pair(context, client_context())
    pair.server.receive(pair.client.take_output())
    answer = bytearray(pair.server.take_output())
    answer[-1] ^= 1
    with pytest.raises(Unreachable, match="damaged on its way: decryption failed or bad record mac"):
        pair.client.receive(bytes(answer))


# strangers


@pytest.mark.parametrize("verb", ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "PRI"])
def test_http_is_called_by_its_name(context: ssl.SSLContext, verb: str) -> None:
    with pytest.raises(ProtocolError, match="this is tq's port, it speaks no HTTP"):
        TlsPipe(context, server_side=True).receive(f"{verb} / HTTP/1.1\r\n\r\n".encode())


@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_refused_with_a_sentence(context: ssl.SSLContext, garbage: bytes) -> None:
    pipe = TlsPipe(context, server_side=True)
    try:
        assert pipe.receive(garbage) == b""  # a record's beginning may still become one
        assert garbage[0] == 0x16
    except ProtocolError:
        pass
    assert not pipe.established


@given(st.data())
def test_a_damaged_client_hello_never_does_worse_than_a_protocol_error(
    context: ssl.SSLContext, data: st.DataObject
) -> None:
    hello = bytearray(TlsPipe(client_context(), server_side=False).take_output())
    for _ in range(data.draw(st.integers(1, 4))):
        hello[data.draw(st.integers(0, len(hello) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ProtocolError):
        assert TlsPipe(context, server_side=True).receive(bytes(hello)) == b""


@given(st.binary(min_size=1, max_size=200))
def test_a_client_judges_a_garbling_master_alike(garbage: bytes) -> None:
    pipe = TlsPipe(client_context(), server_side=False)
    with contextlib.suppress(ProtocolError):
        assert pipe.receive(garbage) == b""
    assert not pipe.established


def test_a_server_without_tls_is_distinguished_from_a_master() -> None:
    for greeting in (
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"SSH-2.0-x\r\n",
    ):
        with pytest.raises(ProtocolError, match=r"no TLS with this peer: .*; is it a tq-master's port"):
            TlsPipe(client_context(), server_side=False).receive(greeting)


# a CA, when one is given


def test_a_file_that_is_no_ca_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(ConfigError, match="cannot use the CA file"):
            client_context(path)


def test_with_a_ca_a_self_made_certificate_is_not_trusted(context: ssl.SSLContext, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    ca_file, _ = ensure_certificate(tmp_path / "other")
    with pytest.raises(Rejected, match="the master's certificate is not trusted"):
        Pair(context, client_context(ca_file), "localhost").carry()


def test_with_a_ca_the_name_must_fit_as_well(context: ssl.SSLContext, folder: Path) -> None:
    ca_file, _ = ensure_certificate(folder)
    with pytest.raises(Rejected, match="the master's certificate is not trusted"):
        Pair(context, client_context(ca_file), "queue.example.org").carry()


def test_a_master_may_ask_clients_for_a_certificate_besides(folder: Path) -> None:
    strict = server_context(*ensure_certificate(folder), client_ca=ensure_certificate(folder)[0])
    with pytest.raises(ProtocolError, match="certificate"):
        Pair(strict, client_context()).carry()


# the pin


class Listener(asyncio.Protocol):
    """A master's port as far as TLS; what is said after it is kept."""

    def __init__(self, context: ssl.SSLContext, received: list[bytes], gone: asyncio.Event) -> None:
        self._pipe, self._received, self._gone = TlsPipe(context, server_side=True), received, gone

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if plaintext := self._pipe.receive(data):
            self._received.append(plaintext)
            self._transport.close()
        self._transport.write(self._pipe.take_output())

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone.set()


def knock(context: ssl.SSLContext, pin: bytes | None) -> tuple[BaseException, list[bytes]]:
    """How a caller with this pin fares at a listener that hangs up after the first words, and these words."""

    async def run() -> tuple[BaseException, list[bytes]]:
        received: list[bytes] = []
        gone, loop = asyncio.Event(), asyncio.get_running_loop()
        server = await loop.create_server(lambda: Listener(context, received, gone), "127.0.0.1", 0)
        async with server:
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            credential = Credential(key_id="k", secret=b"s" * 32, pin=pin)
            with pytest.raises((Rejected, Unreachable)) as caught:
                await CallerConnection.open(
                    address, credential, role=Role.CLIENT, node=b"n" * 16, timeout=SECONDS
                )
            await asyncio.wait_for(gone.wait(), SECONDS)
        return caught.value, received

    return asyncio.run(run())


def test_a_caller_with_the_right_pin_or_none_says_hello(context: ssl.SSLContext, certificate: bytes) -> None:
    for pin in (fingerprint(certificate), None):
        error, received = knock(context, pin)
        assert isinstance(error, Unreachable)
        assert b"client" in received[0]


@pytest.mark.parametrize("place", [0, 31])
def test_a_caller_with_another_pin_goes_away_without_a_word(
    context: ssl.SSLContext, certificate: bytes, place: int
) -> None:
    pin = bytearray(fingerprint(certificate))
    pin[place] ^= 1
    error, received = knock(context, bytes(pin))
    assert isinstance(error, Rejected)
    assert "is not the one this key was made for" in str(error)
    assert "make a new key there with `tq keys add`, or beware of an impostor" in str(error)
    assert received == []
