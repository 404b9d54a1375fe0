"""What the workers say a task is called with, asked of a master in portions."""

from __future__ import annotations

from typing import Any, cast

from tq.client.app import App
from tq.client.cli.signatures import signatures
from tq.common.contract.signatures import ASKED_MAX, ParameterRow, packed
from tq.common.errors import UnknownObject

ONE = packed([ParameterRow("n", 1, "int", "3", ["int"])])
OTHER = packed([])


class Asked:
    """An App whose master knows these."""

    def __init__(self, known: dict[str, list[list[Any]]] | None) -> None:
        self.known, self.calls = known, list[list[str]]()

    def call(self, target: object, method: str, names: list[str]) -> list[list[list[Any]]]:
        if self.known is None:
            raise UnknownObject("get_workers has no method signatures")
        self.calls.append(names)
        return [self.known.get(name, []) for name in names]


def asked(known: dict[str, list[list[Any]]] | None, *names: str) -> tuple[dict[str, str], Asked]:
    app = Asked(known)
    return {name: str(said) for name, said in signatures(cast(App, app), names).items()}, app


def test_a_signature_reads_as_python_and_says_that_some_workers_have_another() -> None:
    said, _ = asked({"m:f": [[ONE, 5], [OTHER, 2]], "m:g": [[OTHER, 1]]}, "m:f", "m:g", "m:h")
    assert said == {"m:f": "(n: int = 3)  (2 of 7 workers have another one)", "m:g": "()"}


def test_very_many_are_asked_for_in_portions_and_none_of_an_older_master() -> None:
    names = [f"m:f{number}" for number in range(2 * ASKED_MAX + 1)]
    said, app = asked({name: [[OTHER, 1]] for name in names}, *names)
    assert len(said) == len(names)
    assert [len(one) for one in app.calls] == [ASKED_MAX, ASKED_MAX, 1]
    assert asked(None, "m:f")[0] == {}


def test_what_a_worker_of_another_version_says_is_passed_over() -> None:
    assert asked({"m:f": [[b"\xc1", 1]]}, "m:f")[0] == {}
