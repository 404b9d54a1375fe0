"""What a worker says of the parameters of a task, as bytes and in words."""

from __future__ import annotations

import msgpack
import pytest
from tq.common.contract.signatures import ParameterKind, ParameterRow, in_words, packed, unpacked
from tq.common.errors import ProtocolError

ANY = ["any"]
ROWS = [
    ParameterRow("a", ParameterKind.BY_PLACE, "", None, ANY),
    ParameterRow("b", ParameterKind.EITHER, "int", "3", ["int"]),
    ParameterRow("c", ParameterKind.BY_NAME, "", "None", ANY),
    ParameterRow("d", ParameterKind.MORE, "str", None, ["str"]),
]


def test_it_is_the_same_after_it_has_travelled_and_reads_as_python_writes_it() -> None:
    assert unpacked(packed(ROWS)) == ROWS
    assert in_words(ROWS) == "(a, /, b: int = 3, *, c=None, **d: str)"
    assert in_words([]) == "()"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgpack.packb(7),
        msgpack.packb([["a", 1]]),
        msgpack.packb([["a", 9, "", None, []]]),
        msgpack.packb([["a", 1, 2, None, []]]),
        msgpack.packb([["a", 1, "", None, "int"]]),
    ],
)
def test_what_is_no_signature_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="unknown form"):
        unpacked(body)
