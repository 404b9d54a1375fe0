import pytest
from tq.common.domain.on_full import RAISE, WAIT, check_on_full
from tq.common.errors import InvalidArgument


@pytest.mark.parametrize("word", [WAIT, RAISE])
def test_the_two_words_are_taken(word: str) -> None:
    assert check_on_full(word) == word


@pytest.mark.parametrize("other", ["drop", "", None, True, ["wait"], "x" * 10_000], ids=range(6))
def test_anything_else_is_refused_with_what_may_stand_there(other: object) -> None:
    with pytest.raises(InvalidArgument, match="is unknown; use 'wait' or 'raise'") as refused:
        check_on_full(other)
    assert len(str(refused.value)) < 200
