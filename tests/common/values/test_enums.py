"""Members of enums that are kept for others: by name, whatever is loaded."""

from __future__ import annotations

import enum
import http
import sys
import types
from typing import Any

import msgpack
import pytest
from tq.common.errors import DecodeError
from tq.common.values.codec import decode, encode
from tq.common.values.extension_types import ENUM
from tq.common.values.unmade import UnmadeEnum


def packed(value: Any) -> bytes:
    return bytes(msgpack.packb(value))


def ext(code: int, body: Any) -> msgpack.ExtType:
    return msgpack.ExtType(code, packed(body))


class Level(enum.IntEnum):
    LOW = 1


class Access(enum.Flag):
    READ = 1
    WRITE = 2


def test_who_passes_values_on_keeps_members_of_enums_by_name_loaded_or_not() -> None:
    unknown = packed([ext(ENUM, ["no_such_module:Colour", "RED"]), ext(ENUM, ["no_such_module:Flags", 3])])
    with pytest.raises(
        DecodeError, match="the enum no_such_module:Colour is not known here; import no_such_module first"
    ):
        decode(unknown)
    for judged in (False, True):
        kept = decode(unknown, unmade=True, judged=judged)
        assert kept == [UnmadeEnum("no_such_module:Colour", "RED"), UnmadeEnum("no_such_module:Flags", 3)]
        assert (encode(kept), [*map(repr, kept)]) == (unknown, ["<Colour.RED>", "<Flags.3>"])
    known = [Level.LOW, Access.READ | Access.WRITE, {Level.LOW: http.HTTPStatus.OK}]
    kept = decode(encode(known), unmade=True)
    assert [*map(type, kept)] == [UnmadeEnum, UnmadeEnum, dict]
    assert decode(encode(kept)) == known
    assert {kept[0]: 1}[decode(encode(Level.LOW), unmade=True)] == 1


def test_an_enum_of_a_script_with_any_name_is_read_and_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    script = types.ModuleType("__main__")
    script.__file__ = "folder/my script-2.py"
    script.Own = enum.Enum("Own", {"A": 1}, module="__main__", qualname="Own")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "__main__", script)
    data = encode([script.Own.A])
    assert decode(data) == [script.Own.A]
    assert decode(data, unmade=True) == [UnmadeEnum("my script-2:Own", "A")]


def test_members_of_enums_that_are_kept_by_name_have_no_order() -> None:
    with pytest.raises(TypeError, match=r"cannot sort them; sort a copy: sorted\(list\(l\)\)"):
        decode(encode([Level.LOW, Level.LOW]), unmade=True).sort()


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("sys:modules", "os"),  # loaded, and no enum
        ("module", "RED"),
        ("module:f.<locals>.Colour", "RED"),
        ("module:\x1b[31mColour", "RED"),
        (7, "RED"),
        ("module:Colour", ["RED"]),
        ("module:Colour", {}),
        ("module:Colour", None),
        ("module:Colour", True),
    ],
)
def test_what_names_no_member_of_an_enum_is_not_kept(name: object, member: object) -> None:
    with pytest.raises(DecodeError, match=r"is not known here|no enum that another program could find"):
        decode(packed(ext(ENUM, [name, member])), unmade=True)
