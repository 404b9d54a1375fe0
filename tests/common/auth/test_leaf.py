"""Leaves: what a cluster's certificate has signed is recognised by its pin, and nothing else is."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tq.common.auth.certificate import certificate_der, ensure_certificate, fingerprint, is_self_made
from tq.common.auth.leaf import (
    CLUSTER_OID,
    CLUSTER_OID_DER,
    NAME_CHARS_MAX,
    VALID_DAYS,
    fits_key,
    make_key,
    make_request,
    shown_by,
    sign,
)
from tq.common.errors import ConfigError

NOW = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)


class Cluster(NamedTuple):
    certificate: bytes  # DER
    key: bytes  # PEM

    def leaf(self, name: str = "b.example", key: bytes | None = None) -> bytes:
        pem, _ = sign(self.certificate, self.key, make_request(key or make_key(), name), NOW)
        return ssl.PEM_cert_to_DER_cert(pem.decode())


def made(folder: Path) -> Cluster:
    certificate, key = ensure_certificate(folder)
    return Cluster(certificate_der(certificate), key.read_bytes())


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return made(tmp_path_factory.mktemp("cluster"))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    return made(tmp_path_factory.mktemp("other"))


@pytest.fixture(scope="module")
def leaf(cluster: Cluster) -> bytes:
    return cluster.leaf()


def test_a_leaf_shows_the_pin_of_its_cluster_its_name_and_its_last_day(cluster: Cluster, leaf: bytes) -> None:
    shown = shown_by(leaf)
    assert shown.pin == fingerprint(cluster.certificate)
    assert shown.leaf is not None
    assert shown.leaf.name == "b.example"
    assert shown.leaf.days_left(NOW) == VALID_DAYS


def test_the_clusters_own_certificate_shows_its_own_pin(cluster: Cluster) -> None:
    assert shown_by(cluster.certificate) == (fingerprint(cluster.certificate), None)


def test_a_leaf_of_another_cluster_shows_that_ones_pin(cluster: Cluster, other: Cluster) -> None:
    assert shown_by(other.leaf()).pin == fingerprint(other.certificate) != fingerprint(cluster.certificate)


def test_who_only_claims_to_be_of_a_cluster_is_not(cluster: Cluster, other: Cluster) -> None:
    """The cluster's certificate is no secret: anybody can put it into a leaf, and sign that with another key."""
    pem, _ = sign(cluster.certificate, other.key, make_request(make_key(), "evil"), NOW)
    forged = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert shown_by(forged) == (fingerprint(forged), None)


def test_a_leaf_admits_no_other_master(cluster: Cluster) -> None:
    key = make_key()
    leaf = cluster.leaf(key=key)
    pem, _ = sign(leaf, key, make_request(make_key(), "evil"), NOW)
    second = ssl.PEM_cert_to_DER_cert(pem.decode())
    assert shown_by(second).pin not in (fingerprint(cluster.certificate), shown_by(leaf).pin)


@given(st.data())
def test_a_leaf_with_a_damaged_byte_is_of_no_known_cluster(
    cluster: Cluster, leaf: bytes, data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(leaf) - 1))
    damaged = bytearray(leaf)
    damaged[place] ^= data.draw(st.integers(1, 255))
    shown = shown_by(bytes(damaged))
    # A byte that the signature does not cover, as of the signature's own form, changes nothing of what it says.
    assert shown.pin != fingerprint(cluster.certificate) or shown.leaf == shown_by(leaf).leaf


def test_a_request_that_its_key_has_not_signed_is_refused(cluster: Cluster) -> None:
    with pytest.raises(ConfigError, match="this is no request"):
        sign(cluster.certificate, cluster.key, b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n", NOW)


@pytest.mark.parametrize("name", ["", " b", "b\n", "x" * (NAME_CHARS_MAX + 1)])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises((ConfigError, ValueError)):
        make_request(make_key(), name)


def test_a_certificate_fits_the_key_it_was_made_for(cluster: Cluster) -> None:
    key = make_key()
    leaf = cluster.leaf(key=key)
    assert fits_key(leaf, key)
    assert not fits_key(leaf, make_key())


def test_the_bytes_by_which_a_leaf_is_known_are_those_of_its_extension(leaf: bytes) -> None:
    """Else every certificate would be read by the heavy library, or none."""
    assert leaf.count(CLUSTER_OID_DER) == 1
    assert CLUSTER_OID.startswith("2.25.")


def test_a_leaf_counts_as_made_by_tq(leaf: bytes, tmp_path: Path) -> None:
    (tmp_path / "master.crt").write_text(ssl.DER_cert_to_PEM_cert(leaf))
    assert is_self_made(tmp_path / "master.crt")
