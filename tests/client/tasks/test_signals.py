"""What a signal may carry."""

from __future__ import annotations

import pytest
from tq.client.tasks.signals import signal_arguments
from tq.common.errors import InvalidArgument, NotSerializable

ID = b"i" * 16


def test_each_signal_has_a_token_of_its_own() -> None:
    one, other = (signal_arguments(ID, "approved", {"by": "ops"}) for _ in range(2))
    assert one[:3] == other[:3]
    assert one[3] != other[3]


def test_what_cannot_be_sent_is_refused_before_the_call() -> None:
    with pytest.raises(InvalidArgument, match="has 65,541 bytes; at most 65,536"):
        signal_arguments(ID, "approved", "x" * 65_536)
    with pytest.raises(NotSerializable, match="the value of signal 'approved'"):
        signal_arguments(ID, "approved", object())
    with pytest.raises(InvalidArgument, match="the name of a signal"):
        signal_arguments(ID, "", 1)
