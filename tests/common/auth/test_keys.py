"""Keys as text, and what a master keeps of them."""

from __future__ import annotations

import itertools
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tq.common.auth.keys import (
    AUTHKEY_CHARS_MIN,
    AUTHKEY_ID,
    KDF_NONE,
    KDF_SCRYPT,
    KEY_ID_CHARS_MAX,
    Credential,
    check_authkey_strength,
    key_pair,
    make_authkey_verifier,
    make_token_verifier,
    mint_token,
    new_key_id,
)
from tq.common.domain.model import Role
from tq.common.errors import ConfigError, InvalidArgument

SECRET, PIN = b"\xff" * 32, b"\xfe" * 32
TOKEN = mint_token("0123456789ab", SECRET, PIN)
IDS = st.text(
    st.characters(codec="utf-8", exclude_characters=".", exclude_categories=("Z", "C")),
    min_size=1,
    max_size=64,
).filter(AUTHKEY_ID.__ne__)


def signed(body: str) -> str:
    """A text with the checksum of a join token."""
    return f"{body}.{zlib.crc32(body.encode()):08x}"


# join tokens


@given(IDS, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_join_token_reads_back_as_what_it_was_made_of(key_id: str, secret: bytes, pin: bytes) -> None:
    token = mint_token(key_id, secret, pin)
    assert Credential.parse(token) == Credential(key_id=key_id, secret=secret, pin=pin)
    assert Credential.parse(token).kdf == KDF_NONE
    assert " " not in token


def test_a_join_token_can_be_copied_with_blanks_and_line_ends() -> None:
    assert Credential.parse(f" \t{TOKEN}\r\n") == Credential.parse(TOKEN)


def test_a_join_token_is_five_words_that_survive_a_shell_and_a_double_click() -> None:
    prefix, key_id, secret, pin, checksum = TOKEN.split(".")
    assert (prefix, key_id) == ("tq1", "0123456789ab")
    assert {len(secret), len(pin)} == {43}
    assert not set(TOKEN) & set("'\"\\$`!*?&|;<>()[]{}~ =+/")
    assert int(checksum, 16) == zlib.crc32(TOKEN.rpartition(".")[0].encode())


def test_a_join_token_with_one_wrong_character_is_refused() -> None:
    for place, wrong in itertools.product(range(len(TOKEN)), "xX0.-_"):
        if wrong == TOKEN[place]:
            continue
        text = TOKEN[:place] + wrong + TOKEN[place + 1 :]
        if not text.startswith("tq1."):
            continue  # that is a plain authkey
        with pytest.raises(
            InvalidArgument, match=r"mistyped or cut off; copy all of the line that starts with tq1\."
        ):
            Credential.parse(text)


def test_a_join_token_cut_off_anywhere_is_refused() -> None:
    for length in range(len("tq1."), len(TOKEN)):
        with pytest.raises(InvalidArgument, match=r"mistyped or cut off; copy all of the line"):
            Credential.parse(TOKEN[:length])


def test_two_tokens_run_together_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="mistyped or cut off"):
        Credential.parse(TOKEN + TOKEN)


@pytest.mark.parametrize(
    "body",
    [
        "tq1.id.c2hvcnQ.c2hvcnQ",
        TOKEN.rpartition(".")[0].replace("0123456789ab", ""),
        TOKEN.rpartition(".")[0].replace("0123456789ab", "k" * (KEY_ID_CHARS_MAX + 1)),
        TOKEN.rpartition(".")[0] + "AAAA",
        "tq1.id.!!!.???",
        "tq1.id.ü.ü",
    ],
)
def test_a_well_formed_token_of_another_form_is_distinguished_from_a_mistyped_one(body: str) -> None:
    with pytest.raises(InvalidArgument, match="unknown form; it was made by another version of tq"):
        Credential.parse(signed(body))


@pytest.mark.parametrize("length", [1, KEY_ID_CHARS_MAX - 1, KEY_ID_CHARS_MAX])
def test_a_key_id_up_to_the_limit_is_read(length: int) -> None:
    assert Credential.parse(mint_token("k" * length, SECRET, PIN)).key_id == "k" * length


@given(st.text(max_size=120))
def test_no_text_does_worse_than_an_invalid_argument(text: str) -> None:
    for candidate in (text, "tq1." + text, signed("tq1." + text)):
        try:
            Credential.parse(candidate)
        except InvalidArgument:
            continue


def test_a_key_ids_bytes_are_shown_as_plain_text() -> None:
    assert new_key_id(lambda size: bytes(range(size))) == "000102030405"


# plain authkeys


@given(st.text(min_size=1).map(str.strip))
def test_any_other_text_is_a_plain_authkey(text: str) -> None:
    assume(text and not text.startswith("tq1."))
    assert Credential.parse(f"  {text}\n") == Credential(key_id=AUTHKEY_ID, secret=text.encode())
    assert Credential.parse(text).kdf == KDF_SCRYPT


@pytest.mark.parametrize("text", ["", " ", "\n", "\t \r\n"])
def test_no_key_at_all_is_refused_with_the_ways_to_give_one(text: str) -> None:
    with pytest.raises(InvalidArgument, match="the key is empty; give --authkey-file, or set TQ_AUTHKEY"):
        Credential.parse(text)


@pytest.mark.parametrize("text", ["stray \udcff byte", "tq1.\udcff", "\ud800"])
def test_a_key_of_stray_bytes_is_refused_on_both_sides(text: str) -> None:
    with pytest.raises(
        InvalidArgument, match="the key is not UTF-8 text; use one of plain letters and digits"
    ):
        Credential.parse(text)
    with pytest.raises(ConfigError):
        check_authkey_strength(text, "127.0.0.1")


PUBLIC = ["0.0.0.0", "::", "", "10.0.0.7", "queue.example.org"]  # noqa: S104 - names to judge
LOOPBACK = ["127.0.0.1", "::1", "localhost"]


@pytest.mark.parametrize("host", PUBLIC)
@pytest.mark.parametrize("length", [1, AUTHKEY_CHARS_MIN - 1])
def test_a_short_authkey_is_refused_on_an_address_others_can_reach(host: str, length: int) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"has {length} characters; .* needs at least 16\. Use e\.g\. `openssl rand -hex 16`",
    ) as caught:
        check_authkey_strength(" " + "k" * length + "\n", host)
    assert "kk" not in str(caught.value)


@pytest.mark.parametrize("host", PUBLIC + LOOPBACK)
@pytest.mark.parametrize("length", [AUTHKEY_CHARS_MIN, AUTHKEY_CHARS_MIN + 1])
def test_an_authkey_of_the_least_length_or_more_is_good_everywhere(host: str, length: int) -> None:
    check_authkey_strength("k" * length, host)


@pytest.mark.parametrize("host", LOOPBACK)
def test_a_short_authkey_is_good_enough_for_loopback(host: str) -> None:
    check_authkey_strength("k", host)


@pytest.mark.parametrize("host", PUBLIC + LOOPBACK)
def test_a_master_is_not_started_with_a_join_token(host: str) -> None:
    with pytest.raises(
        ConfigError, match="a join token, which a master gives out; start tq-master without it"
    ) as caught:
        check_authkey_strength(f" {TOKEN}\n", host)
    assert TOKEN.split(".")[2] not in str(caught.value)


# what is derived, and what is kept


def test_a_secret_is_not_shown() -> None:
    secret = b"an unmistakable secret of 32 byt"
    shown = [
        repr(Credential(key_id="k", secret=secret)),
        repr(make_token_verifier("k", secret, role=Role.CLIENT)),
        repr(key_pair(secret, KDF_NONE, b"")),
    ]
    keys = key_pair(secret, KDF_NONE, b"")
    for text in shown:
        for hidden in (secret, keys.client_key, keys.server_key, keys.stored_key):
            assert repr(hidden) not in text


def test_a_verifier_does_not_hold_what_a_client_needs() -> None:
    verifier, keys = make_token_verifier("k", SECRET, role=Role.CLIENT), key_pair(SECRET, KDF_NONE, b"")
    kept = {verifier.stored_key, verifier.server_key}
    assert not kept & {SECRET, keys.client_key}
    assert len({SECRET, keys.client_key, *kept}) == 4


def test_the_same_authkey_gives_every_cluster_another_verifier() -> None:
    one, other = (make_authkey_verifier("correct horse battery", salt * 16) for salt in (b"a", b"b"))
    assert one.stored_key != other.stored_key
    assert one.server_key != other.server_key
    assert (one.kdf, one.role, one.key_id) == (KDF_SCRYPT, Role.ADMIN, AUTHKEY_ID)


def test_blanks_around_an_authkey_are_nobodys_intention() -> None:
    salt = b"a" * 16
    assert make_authkey_verifier(" key\n", salt) == make_authkey_verifier("key", salt)
    keys = key_pair(Credential.parse(" key\n").secret, KDF_SCRYPT, salt)
    assert keys.stored_key == make_authkey_verifier("key", salt).stored_key


@pytest.mark.parametrize("kdf", ["", "md5", "scrypt-30-8-1", "NONE", "x" * 1_000])
def test_an_unknown_derivation_is_refused(kdf: str) -> None:
    with pytest.raises(InvalidArgument, match=r"key derivation .* is unknown") as caught:
        key_pair(SECRET, kdf, b"")
    assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("patterns", "queue", "allowed"),
    [
        ((), "anything", True),
        (("gpu",), "gpu", True),
        (("gpu",), "gpu.1", False),
        (("gpu.*",), "gpu.1", True),
        (("gpu.*",), "gpu", False),
        (("gpu.*",), "GPU.1", False),
        (("a", "b"), "b", True),
        (("a", "b"), "c", False),
    ],
)
def test_a_key_may_be_bound_to_queues(patterns: tuple[str, ...], queue: str, allowed: bool) -> None:
    verifier = make_token_verifier("k", SECRET, role=Role.CLIENT, queues=patterns)
    assert verifier.allows_queue(queue) == allowed
