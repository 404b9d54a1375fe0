"""The proof of the key: what it admits, and that nothing else than the whole of it is admitted."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tq.common.auth.keys import (
    AUTHKEY_ID,
    KDF_NONE,
    KDF_SCRYPT,
    Credential,
    Verifier,
    make_authkey_verifier,
    make_token_verifier,
    node_of,
)
from tq.common.domain.model import Role
from tq.common.errors import ProtocolError, Rejected, from_wire
from tq.common.wire.frames import HANDSHAKE_FRAME_BYTES_MAX, pack, unpack
from tq.common.wire.handshake import Admitted, ClientHandshake, ServerHandshake, Welcome

from ...properties import examples

CLUSTER, CERTIFICATE, NODE = b"c" * 16, b"a certificate", b"n" * 16
SECRET, KEY_ID = b"s" * 32, "0123456789ab"
HELLO, CHALLENGE, PROOF, WELCOME = range(4)
REFUSALS = (Rejected, ProtocolError)
Meddle = Callable[[int, bytes], bytes]

bits = examples(50)


def untouched(number: int, message: bytes) -> bytes:
    return message


def counted() -> Callable[[int], bytes]:
    """Randomness that does not repeat itself and is the same in every run."""
    counter = itertools.count(1)
    return lambda size: hashlib.sha256(next(counter).to_bytes(8, "big")).digest()[:size]


@dataclass(kw_only=True)
class Talk:
    """Both sides of one conversation, and an attacker in between."""

    secret: bytes = SECRET
    key_id: str = KEY_ID
    asks: Role = Role.CLIENT
    verifiers: Sequence[Verifier] = (make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT),)
    client_sees: bytes = CERTIFICATE
    server_has: bytes = CERTIFICATE
    random: Callable[[int], bytes] = counted()  # noqa: RUF009 - one stream for all: no nonce comes twice
    shard: int = 0
    shards: int = 1

    def __post_init__(self) -> None:
        known = {verifier.key_id: verifier for verifier in self.verifiers}
        self.client = ClientHandshake(
            credential=Credential(key_id=self.key_id, secret=self.secret),
            role=self.asks,
            node=NODE,
            certificate=self.client_sees,
            random=self.random,
            shard=self.shard,
        )
        self.server = ServerHandshake(
            lookup=lambda key_id, shard: known.get(key_id),
            cluster_id=CLUSTER,
            certificate=self.server_has,
            heartbeat_seconds=5.0,
            frame_bytes_max=2**24,
            version="test",
            random=self.random,
            shards=self.shards,
        )
        self.admitted: Admitted | None = None
        self.messages: list[bytes] = []

    def run(self, meddle: Meddle = untouched) -> Welcome:
        """The whole conversation; every message passes through ``meddle``, and is kept as it was sent."""
        challenge = self.server.on_hello(self._carry(meddle, self.client.hello()))
        proof = self.client.on_challenge(self._carry(meddle, challenge))
        self.admitted, welcome = self.server.on_proof(self._carry(meddle, proof))
        return self.client.on_welcome(self._carry(meddle, welcome))

    def _carry(self, meddle: Meddle, message: bytes) -> bytes:
        self.messages.append(message)
        return meddle(len(self.messages) - 1, message)

    def receive(self, number: int, message: bytes) -> object:
        return (self.server.on_hello, self.client.on_challenge, self.server.on_proof, self.client.on_welcome)[
            number
        ](message)


def changing(number: int, change: Callable[[bytes], bytes]) -> Meddle:
    return lambda at, message: change(message) if at == number else message


def looks_like_a_welcome(number: int, body: bytes) -> bool:
    """Any two byte strings do; the signature is wrong then, not the form."""
    with contextlib.suppress(ProtocolError):
        match unpack(body):
            case [bytes(), bytes()]:
                return number == WELCOME
    return False


def refusal(talk: Talk, meddle: Meddle = untouched) -> Rejected | ProtocolError:
    """How a conversation ends that must not end well."""
    with pytest.raises(REFUSALS) as caught:
        talk.run(meddle)
    return caught.value


# what is admitted


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.sampled_from(Role), st.uuids())
def test_a_good_handshake_agrees_on_both_sides(
    secret: bytes, certificate: bytes, role: Role, key: object
) -> None:
    verifier = make_token_verifier(str(key), secret, role=role)
    talk = Talk(
        secret=secret,
        key_id=str(key),
        asks=role,
        verifiers=[verifier],
        client_sees=certificate,
        server_has=certificate,
    )
    welcome = talk.run()
    assert talk.admitted is not None
    given = talk.admitted
    assert (given.verifier, given.role, given.node) == (verifier, role, node_of(verifier.key_id, NODE))
    assert (welcome.session, welcome.cluster_id) == (talk.admitted.session, CLUSTER)
    assert (welcome.heartbeat_seconds, welcome.frame_bytes_max, welcome.server_version) == (
        5.0,
        2**24,
        "test",
    )


def test_every_message_fits_into_the_frame_a_stranger_may_send() -> None:
    talk = Talk(
        key_id="k" * 64, verifiers=[make_token_verifier("k" * 64, SECRET, role=Role.WORKER)], asks=Role.WORKER
    )
    talk.run()
    assert max(map(len, talk.messages)) < HANDSHAKE_FRAME_BYTES_MAX


def test_a_plain_authkey_is_stretched_on_both_sides_and_admits_as_anything() -> None:
    verifier = make_authkey_verifier(" correct horse battery ", CLUSTER)
    for role in Role:
        talk = Talk(secret=b"correct horse battery", key_id=AUTHKEY_ID, asks=role, verifiers=[verifier])
        talk.run()
        assert talk.admitted is not None
        assert talk.admitted.role == role


MAY_OPEN = {
    Role.VIEWER: {Role.VIEWER},
    Role.CLIENT: {Role.CLIENT, Role.VIEWER},
    Role.WORKER: {Role.WORKER},
    Role.ADMIN: set(Role),
}


@pytest.mark.parametrize("asks", Role)
@pytest.mark.parametrize("has", Role)
def test_a_key_opens_sessions_of_its_own_role_or_of_one_that_may_do_less(has: Role, asks: Role) -> None:
    talk = Talk(asks=asks, verifiers=[make_token_verifier(KEY_ID, SECRET, role=has)])
    if asks in MAY_OPEN[has]:
        talk.run()
        assert talk.admitted is not None
        assert talk.admitted.role == asks
    else:
        error = refusal(talk)
        assert isinstance(error, Rejected)
        assert f"this key is a {has} key and cannot be used as {asks}" in str(error)
        remedy = "--authkey-file admin.key" if asks == Role.ADMIN else f"`tq keys add --role {asks}`"
        assert remedy in str(error)


def test_a_key_that_is_being_replaced_still_works() -> None:
    accepting = replace(make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT), state="accepting")
    Talk(verifiers=[accepting]).run()


# what was changed on the way


@pytest.mark.parametrize("number", [HELLO, CHALLENGE, PROOF, WELCOME])
def test_every_single_flipped_bit_is_refused(number: int) -> None:
    sample = Talk()
    sample.run()
    for bit in range(len(sample.messages[number]) * 8):

        def flip(message: bytes, bit: int = bit) -> bytes:
            return (int.from_bytes(message, "big") ^ 1 << bit).to_bytes(len(message), "big")

        refusal(Talk(), changing(number, flip))


@pytest.mark.parametrize("number", [HELLO, CHALLENGE, PROOF, WELCOME])
def test_a_message_cut_off_anywhere_is_no_message(number: int) -> None:
    sample = Talk()
    sample.run()
    for length in range(len(sample.messages[number])):
        error = refusal(Talk(), changing(number, lambda message, length=length: message[:length]))
        assert isinstance(error, ProtocolError), length


@given(st.sampled_from([HELLO, CHALLENGE, PROOF, WELCOME]), st.binary(min_size=1, max_size=40))
def test_a_message_with_something_after_it_is_no_message(number: int, more: bytes) -> None:
    assert isinstance(refusal(Talk(), changing(number, lambda message: message + more)), ProtocolError)


@given(st.sampled_from([HELLO, CHALLENGE, PROOF, WELCOME]), st.binary(max_size=300))
def test_garbage_is_no_message(number: int, garbage: bytes) -> None:
    assume(not looks_like_a_welcome(number, garbage))
    assert isinstance(refusal(Talk(), changing(number, lambda message: garbage)), ProtocolError)


PLAIN: Any = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.sampled_from([HELLO, CHALLENGE, PROOF, WELCOME]), PLAIN)
def test_a_well_formed_value_of_another_shape_is_no_message(number: int, value: object) -> None:
    assume(not looks_like_a_welcome(number, pack(value)))
    assert isinstance(refusal(Talk(), changing(number, lambda message: pack(value))), ProtocolError)


@given(st.sampled_from([HELLO, CHALLENGE, PROOF, WELCOME]), st.integers(0, 4), PLAIN)
def test_one_field_of_another_value_is_refused(number: int, place: int, value: object) -> None:
    def put(message: bytes) -> bytes:
        fields = unpack(message)
        assume(place < len(fields))
        fields[place] = value
        assume(pack(fields) != message)
        return pack(fields)

    refusal(Talk(), changing(number, put))


@pytest.mark.parametrize("number", [HELLO, CHALLENGE, PROOF, WELCOME])
@pytest.mark.parametrize("depth", [100, 1_000, 4_000])
def test_a_bottomless_value_in_any_field_is_refused_like_any_other(number: int, depth: int) -> None:
    sample = Talk()
    sample.run()
    fields = [pack(field) for field in unpack(sample.messages[number])]
    for place in range(len(fields)):
        deep = b"\x91" * depth + b"\x90"
        body = bytes([0x90 + len(fields)]) + b"".join([*fields[:place], deep, *fields[place + 1 :]])
        assert isinstance(refusal(Talk(), changing(number, lambda message, body=body: body)), ProtocolError)


# who is in the middle, or pretends


def test_proofs_made_for_one_certificate_are_worthless_under_another() -> None:
    """What a man in the middle gets who shows the client a certificate of his own."""
    error = refusal(Talk(client_sees=b"the relay's certificate"))
    assert isinstance(error, Rejected)
    assert "the key was refused" in str(error)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_two_certificates_never_pass_for_one(one: bytes, other: bytes) -> None:
    assume(one != other)
    assert isinstance(refusal(Talk(client_sees=one, server_has=other)), Rejected)


@pytest.mark.parametrize("replayed", [HELLO, CHALLENGE, PROOF, WELCOME])
def test_a_message_of_an_earlier_conversation_opens_nothing(replayed: int) -> None:
    earlier = Talk()
    earlier.run()
    assert isinstance(
        refusal(Talk(), changing(replayed, lambda message: earlier.messages[replayed])), Rejected
    )


def test_both_messages_of_an_earlier_client_open_nothing() -> None:
    earlier, now = Talk(), Talk()
    earlier.run()
    now.server.on_hello(earlier.messages[HELLO])
    with pytest.raises(Rejected):
        now.server.on_proof(earlier.messages[PROOF])


def test_both_messages_of_an_earlier_master_convince_no_one() -> None:
    earlier, now = Talk(), Talk()
    earlier.run()
    now.client.on_challenge(earlier.messages[CHALLENGE])
    with pytest.raises(Rejected, match="may be an impostor"):
        now.client.on_welcome(earlier.messages[WELCOME])


@pytest.mark.parametrize(("own", "received_as"), [(HELLO, CHALLENGE), (HELLO, WELCOME), (PROOF, WELCOME)])
def test_a_clients_own_message_sent_back_to_it_is_refused(own: int, received_as: int) -> None:
    talk = Talk()
    sent = [talk.client.hello()]
    if received_as == WELCOME:
        sent += [b"", talk.client.on_challenge(talk.server.on_hello(sent[0]))]
    with pytest.raises(ProtocolError):
        talk.receive(received_as, sent[own])


@pytest.mark.parametrize(("own", "received_as"), [(CHALLENGE, HELLO), (CHALLENGE, PROOF), (WELCOME, HELLO)])
def test_a_masters_own_message_sent_back_to_it_is_refused(own: int, received_as: int) -> None:
    earlier, talk = Talk(), Talk()
    earlier.run()
    sent = earlier.messages
    if received_as == PROOF:
        sent = [b"", talk.server.on_hello(talk.client.hello())]
    with pytest.raises(ProtocolError):
        talk.receive(received_as, sent[own])


def test_a_client_cannot_be_made_to_prove_itself_to_itself() -> None:
    """HELLO comes back as CHALLENGE, PROOF as WELCOME, even when they are given the right shape."""
    talk = Talk()
    [_, _, _, nonce, _] = unpack(talk.client.hello())
    proof = talk.client.on_challenge(pack([2, CLUSTER, nonce, KDF_NONE]))
    [proven] = unpack(proof)
    settings_ = pack([b"s" * 16, 5.0, 2**24, ""])
    with pytest.raises(Rejected, match="may be an impostor"):
        talk.client.on_welcome(pack([proven, settings_]))


def test_a_false_master_without_the_key_is_found_out() -> None:
    talk = Talk()
    false = Talk(verifiers=[make_token_verifier(KEY_ID, b"another secret".ljust(32), role=Role.ADMIN)])
    proof = talk.client.on_challenge(false.server.on_hello(talk.client.hello()))
    with pytest.raises(Rejected):
        false.server.on_proof(proof)
    for signature in (bytes(32), unpack(proof)[0], hmac.digest(b"", proof, "sha256")):
        with pytest.raises(Rejected, match="could not prove that it knows the key; it may be an impostor"):
            talk.client.on_welcome(pack([signature, pack([b"s" * 16, 5.0, 2**24, ""])]))


def test_a_master_cannot_choose_how_a_key_is_derived() -> None:
    """A costly or a weak derivation would be the false master's choice."""
    for kdf in (KDF_SCRYPT, "scrypt-30-8-1", "", "md5"):
        with pytest.raises(Rejected):
            Talk().client.on_challenge(pack([2, CLUSTER, b"n" * 32, kdf]))
    authkey = Talk(key_id=AUTHKEY_ID, secret=b"a plain authkey")
    with pytest.raises(Rejected):
        authkey.client.on_challenge(pack([2, CLUSTER, b"n" * 32, KDF_NONE]))


def test_welcome_before_a_proof_is_refused() -> None:
    earlier = Talk()
    earlier.run()
    with pytest.raises(ProtocolError, match="before it was given a proof"):
        Talk().client.on_welcome(earlier.messages[WELCOME])


# who has no key


@bits
@given(st.binary(min_size=1, max_size=64))
def test_another_secret_is_refused(secret: bytes) -> None:
    assume(secret != SECRET)
    assert isinstance(refusal(Talk(secret=secret)), Rejected)


@bits
@given(st.text(min_size=1, max_size=16))
def test_an_unknown_key_id_is_refused(key_id: str) -> None:
    assume(key_id not in (KEY_ID, AUTHKEY_ID))
    assert isinstance(refusal(Talk(key_id=key_id)), Rejected)


def test_wrong_unknown_and_revoked_keys_cannot_be_distinguished() -> None:
    good = make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT)
    cases = {
        "wrong": Talk(secret=b"w" * 32),
        "unknown": Talk(verifiers=[]),
        "revoked": Talk(verifiers=[replace(good, state="revoked")]),
        "revoked, of another role": Talk(verifiers=[replace(good, state="revoked")], asks=Role.WORKER),
        "wrong, of another role": Talk(secret=b"w" * 32, asks=Role.ADMIN),
    }
    sentences = {str(refusal(talk)) for talk in cases.values()}
    assert len(sentences) == 1, sentences
    assert "unknown, revoked or not the one this master accepts; `tq keys list`" in sentences.pop()
    forms = set()
    for talk in cases.values():
        version, cluster_id, nonce, kdf = unpack(talk.messages[CHALLENGE])
        forms.add((version, cluster_id, len(nonce), kdf))
    assert len(forms) == 1


def test_a_master_with_another_cluster_id_than_it_had_gets_no_proof() -> None:
    """Its id salts a plain key: a list of guesses could lie ready for it."""
    talk = Talk()
    talk.client = ClientHandshake(
        credential=Credential(key_id=KEY_ID, secret=SECRET),
        role=Role.CLIENT,
        node=NODE,
        certificate=CERTIFICATE,
        cluster_id=b"o" * len(CLUSTER),
    )
    challenge = talk.server.on_hello(talk.client.hello())
    with pytest.raises(Rejected, match="another cluster id; it may be an impostor"):
        talk.client.on_challenge(challenge)


def test_a_key_is_looked_up_again_when_it_is_proven() -> None:
    """A handshake may be as old as its deadline lets it: what was true at HELLO is not asked of the past."""
    good = make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT)
    known: dict[str, Verifier] = {}

    def begun() -> tuple[Talk, bytes]:
        known[KEY_ID] = good
        talk = Talk()
        talk.server._lookup = lambda key_id, shard: known.get(key_id)
        return talk, talk.client.on_challenge(talk.server.on_hello(talk.client.hello()))

    for later in (replace(good, state="revoked"), make_token_verifier(KEY_ID, b"n" * 32, role=Role.CLIENT)):
        talk, proof = begun()
        known[KEY_ID] = later
        with pytest.raises(Rejected, match="unknown, revoked"):
            talk.server.on_proof(proof)
    talk, proof = begun()
    del known[KEY_ID]
    with pytest.raises(Rejected, match="unknown, revoked"):
        talk.server.on_proof(proof)
    talk, proof = begun()
    known[KEY_ID] = replace(good, queues=("gpu*",))
    assert talk.server.on_proof(proof)[0].verifier.queues == ("gpu*",)


def test_an_unknown_authkey_is_challenged_like_a_known_one() -> None:
    with_one = Talk(verifiers=[make_authkey_verifier("a plain authkey", CLUSTER)], key_id=AUTHKEY_ID)
    without = Talk(verifiers=[], key_id=AUTHKEY_ID)
    kinds = [unpack(talk.server.on_hello(talk.client.hello()))[3] for talk in (with_one, without)]
    assert kinds == [KDF_SCRYPT, KDF_SCRYPT]


def test_a_wrong_authkey_is_refused() -> None:
    verifier = make_authkey_verifier("correct horse battery", CLUSTER)
    assert isinstance(
        refusal(Talk(secret=b"correct horse batterz", key_id=AUTHKEY_ID, verifiers=[verifier])), Rejected
    )


def test_an_authkeys_verifier_of_one_cluster_is_of_no_use_in_another() -> None:
    elsewhere = make_authkey_verifier("correct horse battery", b"d" * 16)
    assert isinstance(
        refusal(Talk(secret=b"correct horse battery", key_id=AUTHKEY_ID, verifiers=[elsewhere])), Rejected
    )


def test_what_a_master_stores_does_not_suffice_to_log_in() -> None:
    stolen = make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT)
    for secret in (stolen.stored_key, stolen.server_key, hashlib.sha256(stolen.stored_key).digest()):
        assert isinstance(refusal(Talk(secret=secret)), Rejected)


@pytest.mark.parametrize("label", [b"tq1 client", b"tq1 server"])
def test_no_proof_can_be_computed_from_a_stolen_verifier(label: bytes) -> None:
    """The thief knows stored_key, server_key, every message and the transcript: all but client_key."""
    stolen = make_token_verifier(KEY_ID, SECRET, role=Role.CLIENT)
    known = [stolen.stored_key, stolen.server_key, bytes(32), b"\xff" * 32]
    for guess, key in itertools.product(known, known):
        talk = Talk()
        challenge = talk.server.on_hello(talk.client.hello())
        digest = hashlib.sha256()
        for part in (talk.client.hello(), challenge, hashlib.sha256(CERTIFICATE).digest()):
            digest.update(len(part).to_bytes(4, "big") + part)
        signature = hmac.digest(key, label + digest.digest(), "sha256")
        proof = bytes(left ^ right for left, right in zip(guess, signature, strict=True))
        with pytest.raises(Rejected):
            talk.server.on_proof(pack([proof]))


# the order of things


def test_a_second_try_on_one_connection_is_refused() -> None:
    talk = Talk()
    talk.run()
    with pytest.raises(ProtocolError):
        talk.server.on_proof(talk.messages[PROOF])
    with pytest.raises(ProtocolError, match="second HELLO"):
        talk.server.on_hello(talk.messages[HELLO])


def test_a_wrong_proof_cannot_be_followed_by_a_right_one() -> None:
    talk = Talk()
    proof = talk.client.on_challenge(talk.server.on_hello(talk.client.hello()))
    with pytest.raises(Rejected):
        talk.server.on_proof(pack([bytes(32)]))
    with pytest.raises(ProtocolError):
        talk.server.on_proof(proof)


def test_a_proof_before_hello_is_refused() -> None:
    with pytest.raises(ProtocolError, match="before HELLO"):
        Talk().server.on_proof(pack([bytes(32)]))


# versions and forms


def test_a_client_of_other_versions_is_asked_to_upgrade() -> None:
    talk = Talk()
    fields = unpack(talk.client.hello())
    for versions, other in (
        ([], "that one"),
        ([1], "that one"),
        ([0, 1, 99], "this side"),
        ([3], "this side"),
    ):
        with pytest.raises(ProtocolError, match=rf"this side tq/2: upgrade tq on {other}"):
            Talk().server.on_hello(pack([versions, *fields[1:]]))
    Talk().server.on_hello(pack([[3, 2, 1], *fields[1:]]))


def test_a_master_of_another_version_is_distinguished_from_another_program() -> None:
    for version, older in ((1, "that one"), (3, "this side")):
        with pytest.raises(ProtocolError, match=f"chose tq/{version}, this side tq/2: upgrade tq on {older}"):
            Talk().client.on_challenge(pack([version, CLUSTER, b"n" * 32, KDF_NONE]))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, "root"),
        (1, "Client"),
        (1, b"client"),
        (2, "k" * 65),
        (2, "ü" * 33),
        (2, 7),
        (3, b"n" * 31),
        (3, b"n" * 33),
        (4, b"n" * 15),
        (4, b"n" * 17),
        (4, "n" * 16),
    ],
)
def test_a_hello_with_a_field_out_of_bounds_is_refused_with_the_right_form(place: int, value: object) -> None:
    fields = unpack(Talk().client.hello())
    fields[place] = value
    with pytest.raises(ProtocolError, match=r"a HELLO is \[versions, role, key id"):
        Talk().server.on_hello(pack(fields))


@pytest.mark.parametrize("key_id", ["k", "k" * 64, "ü" * 32])
def test_a_key_id_up_to_the_limit_is_accepted(key_id: str) -> None:
    fields = unpack(Talk().client.hello())
    fields[2] = key_id
    Talk().server.on_hello(pack(fields))


@pytest.mark.parametrize(
    "body",
    [
        b"\x91" * 1_000 + b"\x90",
        pack(["Rejected", b"no", {}]),
        pack(["SystemExit", "no", {}]),
        pack(None),
        pack([]),
    ],
)
def test_a_refusal_of_an_unknown_form_is_a_protocol_error(body: bytes) -> None:
    error = from_wire(unpack(body))
    assert isinstance(error, ProtocolError)
    assert "the peer sent an error" in str(error)
