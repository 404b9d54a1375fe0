"""Keys: a key grants, sees and revokes no more than it has, and a revoked key ends all that it has begun."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tq.common.auth.keys import Verifier, mint_token
from tq.common.domain.key_quota import KeyQuota
from tq.common.domain.model import Role
from tq.common.domain.shards import Shard
from tq.common.errors import Forbidden, InvalidArgument
from tq.master.keys.keyring import Keyring


@pytest.fixture
def keys(bench: Any) -> Any:
    """An unbound admin key's peer, and one that is bound to gpu*."""
    return bench.client(role=Role.ADMIN), bench.client(("gpu*",), Role.ADMIN)


def key_id(token: str) -> str:
    return token.split(".")[1]


def by_id(peer: Any) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in peer.call("get_keys", "list")}


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("queues", [[], ["*"], ["mail"], ["gpu1", "mail"], ["g*"], ["[g]pu1"]])
def test_a_bound_admin_key_makes_none_that_reaches_further(keys: Any, role: Role, queues: list[str]) -> None:
    free, bound = keys
    before = by_id(free)
    with pytest.raises(Forbidden, match=r"this key is a admin key for gpu\* and cannot grant"):
        bound.call("get_keys", "add", str(role), queues)
    assert by_id(free) == before


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("queues", [["gpu*"], ["gpu1", "gpu?2"]])
def test_a_bound_admin_key_makes_keys_within_its_own(keys: Any, role: Role, queues: list[str]) -> None:
    _, bound = keys
    token = bound.call("get_keys", "add", str(role), queues)
    made = by_id(bound)[key_id(token)]
    assert (made["role"], made["queues"]) == (role, queues)


def test_a_key_beyond_ones_own_is_answered_as_one_that_is_not_there(keys: Any) -> None:
    free, bound = keys
    beyond = key_id(free.call("get_keys", "add", "worker", ["mail"]))
    wide = key_id(free.call("get_keys", "add", "worker", []))
    within = key_id(free.call("get_keys", "add", "worker", ["gpu1"]))
    assert set(by_id(bound)) & {beyond, wide, within} == {within}
    for hidden in (beyond, wide):
        with pytest.raises(InvalidArgument) as there:
            bound.call("get_keys", "revoke", hidden)
        with pytest.raises(InvalidArgument) as nowhere:
            bound.call("get_keys", "revoke", "f" * 12)
        assert str(there.value).replace(hidden, "f" * 12) == str(nowhere.value)
    bound.call("get_keys", "revoke", within)
    states = {id: row["state"] for id, row in by_id(free).items()}
    assert (states[beyond], states[wide], states[within]) == ("active", "active", "revoked")


def test_the_key_of_another_door_is_listed_and_revoked_and_not_stored(bench: Any, keys: Any) -> None:
    free, bound = keys
    bench.engine.part(Keyring).add_unstored(
        Verifier(key_id="gateway", role=Role.CLIENT, kdf="none", stored_key=b"", server_key=b"")
    )
    shown = by_id(free)["gateway"]
    assert (shown["state"], shown["created"], shown["last_used"]) == ("active", None, None)
    assert "gateway" not in by_id(bound)  # it is for all queues
    free.call("get_keys", "revoke", "gateway")
    bench.engine._load()
    assert by_id(free)["gateway"]["state"] == "revoked"
    assert "gateway" not in {row.id for row in bench.engine.store.key_rows()}


def test_a_key_has_its_tenant_after_a_restart_and_shows_it(bench: Any, keys: Any) -> None:
    free, _ = keys
    made = key_id(free.call("get_keys", "add", "client", [], "their web shop", "acme"))
    plain = key_id(free.call("get_keys", "add", "client", []))
    bench.engine._load()
    rows = by_id(free)
    assert (rows[made]["tenant"], rows[plain]["tenant"]) == ("acme", "")
    keyring = bench.engine.part(Keyring)
    assert [keyring.tenant_of(one) for one in (made, plain, "none")] == ["acme", "", ""]


def test_an_admin_key_of_a_tenant_makes_and_sees_keys_of_that_alone(bench: Any, keys: Any) -> None:
    free, _ = keys
    own = bench.client(role=Role.ADMIN)
    own.session.verifier = replace(own.session.verifier, key_id="own", tenant="acme")
    for other in ("", "other"):
        with pytest.raises(
            Forbidden, match="this key is of tenant acme and makes keys of it alone: add --tenant acme"
        ):
            own.call("get_keys", "add", "client", [], "", other)
    mine = key_id(own.call("get_keys", "add", "client", [], "", "acme"))
    free.call("get_keys", "add", "client", [], "", "other")
    assert set(by_id(own)) == {mine}


@pytest.mark.parametrize(("tenant", "why"), [("x" * 257, "257 bytes; at most 256"), (5, "tenant")])
def test_a_tenant_of_a_key_is_some_text(keys: Any, tenant: Any, why: str) -> None:
    free, _ = keys
    with pytest.raises(InvalidArgument, match=why):
        free.call("get_keys", "add", "client", [], "", tenant)


def test_a_quota_of_a_key_that_submits_nothing_is_refused(keys: Any) -> None:
    free, _ = keys
    with pytest.raises(InvalidArgument, match=r"role viewer submits nothing.*make a key with --role client"):
        free.call("get_keys", "add", "viewer", [], "", "", {"max_queued": 5})
    made = key_id(free.call("get_keys", "add", "viewer", []))
    with pytest.raises(InvalidArgument, match="role viewer submits nothing"):
        free.call("get_keys", "set", made, {"max_queued_bytes": 1_000_000})
    free.call("get_keys", "set", made, {"max_queued": None})


def test_a_key_is_made_with_a_quota_which_is_changed_and_shown(bench: Any, keys: Any) -> None:
    free, bound = keys
    made = key_id(free.call("get_keys", "add", "client", [], "", "", {"max_queued": 5}))
    free.call("get_keys", "set", made, {"max_queued_bytes": 1_000})
    bench.engine._load()
    shown = by_id(free)[made]
    assert (shown["max_queued"], shown["max_queued_bytes"]) == (5, 1_000)
    assert (shown["queued"], shown["queued_bytes"]) == (0, 0)
    free.call("get_keys", "set", made, {"max_queued": None, "max_queued_bytes": None})
    assert by_id(free)[made]["queued"] is None
    with pytest.raises(InvalidArgument, match="there is no key 'f"):
        free.call("get_keys", "set", "f" * 12, {"max_queued": 5})
    with pytest.raises(InvalidArgument, match="there is no key"):
        bound.call("get_keys", "set", made, {"max_queued": 5})
    with pytest.raises(InvalidArgument, match="whole number from 1"):
        free.call("get_keys", "set", made, {"max_queued": 0})


def test_the_key_of_another_door_has_no_quota(bench: Any, keys: Any) -> None:
    free, _ = keys
    bench.engine.part(Keyring).add_unstored(
        Verifier(key_id="gateway", role=Role.CLIENT, kdf="none", stored_key=b"", server_key=b"")
    )
    with pytest.raises(InvalidArgument, match="another one after each start"):
        free.call("get_keys", "set", "gateway", {"max_queued": 5})


def test_a_key_that_one_shard_has_made_is_the_same_in_another_and_may_be_sent_twice(make_bench: Any) -> None:
    first, second = (make_bench(shard=Shard(number, 2)) for number in range(2))
    for bench in (first, second):
        bench.engine.part(Keyring).pin = b"p" * 32
    token = first.client(role=Role.ADMIN).call("get_keys", "add", "client", ["mail"], "for mail", "acme")
    admin = second.client(role=Role.ADMIN)
    for _ in range(2):
        assert admin.call("get_keys", "add", "client", ["mail"], "for mail", "acme", token=token) == token
    known = second.engine.part(Keyring).find(key_id(token))
    made = first.engine.part(Keyring).find(key_id(token))
    assert (known.stored_key, known.role, known.queues, known.tenant) == (
        made.stored_key,
        made.role,
        made.queues,
        made.tenant,
    )
    admin.call("get_keys", "revoke", key_id(token))
    admin.call("get_keys", "add", "client", ["mail"], "for mail", "acme", token=token)
    assert second.engine.part(Keyring).find(key_id(token)).is_revoked, "a repeat does not take it back"


def test_a_key_of_another_shard_changes_no_key_that_is_there(make_bench: Any) -> None:
    bench = make_bench(shard=Shard(1, 2))
    bench.engine.part(Keyring).pin = b"p" * 32
    admin = bench.client(role=Role.ADMIN)
    there = key_id(admin.call("get_keys", "add", "viewer", []))
    for token, words in (
        (mint_token(there, b"s" * 32, b"p" * 32), f"there is another key {there}"),
        (mint_token("0123456789ab", b"s" * 32, b"q" * 32), "names another certificate"),
        ("a plain key", "names another certificate"),
        ("tq1.nonsense", "mistyped"),
    ):
        with pytest.raises(InvalidArgument, match=words):
            admin.call("get_keys", "add", "admin", [], token=token)
    with pytest.raises(Forbidden, match="cannot grant"):
        bench.client(("gpu*",), Role.ADMIN).call(
            "get_keys", "add", "admin", [], token=mint_token("0123456789ac", b"s" * 32, b"p" * 32)
        )


def test_in_a_cluster_of_one_shard_no_caller_names_the_key(bench: Any) -> None:
    with pytest.raises(InvalidArgument, match="leave out the token"):
        bench.client(role=Role.ADMIN).call(
            "get_keys", "add", "client", [], token=mint_token("0123456789ab", b"s" * 32, b"p" * 32)
        )


def test_the_quota_of_a_key_that_is_not_stored_holds_also_over_a_failed_transaction(bench: Any) -> None:
    keyring = bench.engine.part(Keyring)
    quota = KeyQuota(max_queued=30)
    key = Verifier(key_id="owned", role=Role.CLIENT, kdf="none", stored_key=b"", server_key=b"", quota=quota)
    keyring.add_unstored(key)
    assert keyring.quota_of("owned").quota == quota
    keyring.load(bench.engine.store.load(), bench.now)
    assert keyring.quota_of("owned").quota == quota
