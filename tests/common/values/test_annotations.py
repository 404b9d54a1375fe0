"""Arguments and results by the annotations of a function: what is typed, what is refused, and what comes back."""

from __future__ import annotations

import enum
import functools
import threading
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, NewType, NotRequired, TypedDict, TypeVar

import pytest
import tq
from tq.common.domain.id_runs import IdRun
from tq.common.domain.model import State
from tq.common.values.annotations import TypedCall, typed_call
from tq.common.values.codec import decode, decode_work, encode, encode_call
from tq.common.values.failed import Failed

if TYPE_CHECKING:
    from somewhere import Unknown  # type: ignore[import-not-found]

T = TypeVar("T")


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


class Odd(enum.Enum):
    PAIR = (1, 2)
    TEXT = "x"


class Point(NamedTuple):
    x: float
    y: float


class Options(TypedDict):
    gift: bool
    note: NotRequired[str]


NOWHERE = Point(0, 0)


@dataclass(frozen=True)
class Line:
    item: str
    price: float
    color: Color = Color.RED


@dataclass
class Order:
    number: int
    lines: list[Line]
    at: Point | None = None
    by_name: dict[str, Line] = field(default_factory=dict)
    kind: Literal["new", "old"] = "new"
    options: Options | None = None
    total: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError("a number is not negative")
        self.total = 2.0 * self.number


@dataclass
class Special(Order):
    more: int = 0


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


@dataclass
class Box(Generic[T]):
    content: T


@dataclass
class Seeded:
    seed: InitVar[int]
    number: int = 0


Id = NewType("Id", int)


def place(order: Order, *others: Order, point: Point = NOWHERE, **more: Line) -> Order | None:
    return order


def mixed(
    one: Order | str | None,
    many: Sequence[Line],
    table: Mapping[str, Point],
    pair: tuple[Color, int],
    colors: set[Color],
    rights: Rights,
    odd: Odd,
    tree: Node,
    options: Options,
    all_of: Iterable[tuple[Line, ...]],
) -> list[Order]:
    return []


LINE = Line("tea", 2.5, Color.BLUE)
ORDER = Order(7, [LINE, Line("milk", 1)], Point(1, 2.5), {"a": LINE}, "old", {"gift": True})


def of(function: Any) -> TypedCall:
    found = typed_call(function)
    assert found is not None
    return found


def there_and_back(function: Any, *args: Any, **kwargs: Any) -> tuple[list[Any], dict[str, Any]]:
    """Over the wire, which names no type."""
    typed = of(function)
    plain_args, plain_kwargs = typed.sent(args, kwargs)
    payload = encode_call(plain_args, plain_kwargs)
    for word in (b"Order", b"Line", b"Color", b"Point", b"Rights"):
        assert word not in payload
    received_args, received_kwargs, _ = decode_work(payload)
    return typed.received(received_args, received_kwargs)


def test_what_was_sent_comes_back_equal_and_of_its_types() -> None:
    args, kwargs = there_and_back(place, ORDER, ORDER, point=Point(3, 4), extra=LINE)
    assert args == [ORDER, ORDER]
    assert kwargs == {"point": Point(3, 4), "extra": LINE}
    assert type(args[0].lines[0]) is Line
    assert type(args[0].at) is Point
    assert args[0].lines[0].color is Color.BLUE


def test_containers_and_unions_of_them() -> None:
    tree = Node("root", [Node("a"), Node("b", [Node("c")])])
    given = (
        *(ORDER, [LINE], {"p": Point(1, 2)}, (Color.RED, 1), {Color.RED, Color.BLUE}),
        *(Rights.READ | Rights.WRITE, Odd.PAIR, tree, {"gift": False, "note": "n"}, [(LINE, LINE)]),
    )
    args, _ = there_and_back(mixed, *given)
    assert tuple(args) == given
    for other in ("text", None):
        assert there_and_back(mixed, other, *given[1:])[0][0] == other


def test_a_result_follows_the_return_annotation() -> None:
    typed = of(place)
    for value in (ORDER, None):
        data = decode(encode(typed.sent_result(value)))
        assert typed.received_result(data) == value
    with pytest.raises(tq.InvalidArgument, match=r"^result: expected Order \| None, got dict"):
        typed.sent_result({"number": 1})


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Order(1, [LINE, Line("x", "y")]), r"order.lines\[1\].price: expected float, got str 'y'"),  # type: ignore[arg-type]
        (Order(1, [], by_name={"k": Line(5, 1)}), r"order.by_name\['k'\].item: expected str, got int 5"),  # type: ignore[arg-type]
        (Order(1, [], Point("a", 2)), r"order.at.x: expected float, got str 'a'"),  # type: ignore[arg-type]
        (Order(1, [], kind="odd"), r"order.kind: expected Literal\['new', 'old'\], got str 'odd'"),  # type: ignore[arg-type]
        (Order(1, [], options={"gift": 1}), r"order.options.gift: expected bool, got int 1"),  # type: ignore[typeddict-item]
        (Order(1, [], options={}), r"order.options: Options needs the field 'gift'"),  # type: ignore[typeddict-item]
        (Order(True, []), "order.number: expected int, got bool True"),
        (Order(1, (LINE,)), r"order.lines: expected list\[Line\], got tuple"),  # type: ignore[arg-type]
        (Special(1, []), "order: expected Order, got Special"),
        ({"number": 1}, "order: expected Order, got dict"),
        (None, "order: expected Order, got None"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_path(wrong: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=f"^{words}"):
        of(place).sent((wrong,), {})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"lines": []}, "order: Order needs the field 'number'"),
        ({"number": 1, "lines": [], "size": 2}, "order: Order has no field 'size'"),
        ({"number": -1, "lines": []}, "order: Order refuses it: ValueError: a number is not negative"),
        (
            {"number": 1, "lines": [{"item": "x", "price": 1, "color": "pink"}]},
            r"order.lines\[0\].color: expected Color",
        ),
        ([1], "order: expected Order, got list"),
    ],
)
def test_data_that_does_not_fit_is_refused_where_it_is_received(data: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=f"^{words}"):
        of(place).received([data], {})


def test_plain_data_of_another_program_is_taken_as_json_has_it() -> None:
    data = {"number": 1, "lines": [{"item": "x", "price": 1}], "at": [1, 2]}
    [order], _ = of(place).received([data], {})
    assert order == Order(1, [Line("x", 1)], Point(1, 2))


def test_what_is_not_known_yet_passes() -> None:
    # No handle without a master: what stands for one is looked at by its class only
    handle = tq.App().get.__self__
    failed = Failed("id", State.FAILED, "ValueError", "m", "")

    class Later:
        def _tq_needed(self) -> tuple[Any, list[IdRun]]:
            return handle, []

    later = Later()
    assert of(place).sent((later,), {"point": later})[0] == (later,)
    assert of(place).received([failed], {})[0] == [failed]
    assert of(place).sent((Order(1, later),), {})[0][0]["lines"] is later  # type: ignore[arg-type]


def plain(
    a: int, b: list[str], c: dict[str, float] | None = None, *d: Any, e: str = "", **f: object
) -> None: ...


def others(
    a: tq.Blob, b: types.ModuleType, c: Box[int], d: Seeded, e: Id, f: Unknown, g: T, h: tq.Failed
) -> T: ...  # type: ignore[no-any-unimported]


@pytest.mark.parametrize("function", [plain, others, len, functools.partial(plain), lambda x: x])
def test_other_annotations_are_for_readers(function: Any) -> None:
    assert typed_call(function) is None


def test_what_a_worker_fills_in_is_not_looked_at() -> None:
    def job(ctx: tq.Context, order: Order) -> None: ...

    typed = typed_call(job, {"ctx"})
    assert typed is not None
    assert [name for name, _ in typed.positional] == ["order"]
    assert typed_call(job, {"ctx", "order"}) is None


def ambiguous_classes(order: Order | Line) -> None: ...
def ambiguous_dict(order: Order | dict[str, int]) -> None: ...
def ambiguous_inside(orders: list[Order | Node]) -> None: ...
def ambiguous_enum(color: Color | str) -> None: ...
def ambiguous_any(order: Order | Any) -> None: ...
def ambiguous_point(point: Point | list[int]) -> None: ...
def ambiguous_result() -> Order | Line: ...  # type: ignore[empty-body]


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            ambiguous_classes,
            "ambiguous_classes: the annotation of order is ambiguous: what is sent as Order could be Line",
        ),
        (
            ambiguous_dict,
            r"what is sent as Order could be dict\[str, int\] just as well.*write one class with a field",
        ),
        (ambiguous_inside, "the annotation of orders is ambiguous"),
        (ambiguous_enum, "what is sent as Color could be str"),
        (ambiguous_any, "what is sent as Order could be anything"),
        (ambiguous_point, r"what is sent as Point could be list\[int\]"),
        (ambiguous_result, "the annotation of the result is ambiguous"),
    ],
)
def test_an_ambiguous_annotation_is_refused(function: Any, words: str) -> None:
    with pytest.raises(tq.InvalidArgument, match=words):
        typed_call(function, refuse_ambiguous=True)
    assert typed_call(function) is None  # no task: its author did not write it for us


def test_a_value_that_contains_itself_is_refused() -> None:
    def grow(tree: Node) -> None: ...

    node = Node("a")
    node.children.append(node)
    with pytest.raises(tq.InvalidArgument, match="tree: it contains itself, or is nested too deep"):
        of(grow).sent((node,), {})


def test_models_of_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    class Item(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        name: str
        price: float = pydantic.Field(gt=0)

    class Cart(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        items: list[Item]
        point: Point = Point(0, 0)

    def pay(cart: Any, more: Any = None) -> None: ...

    pay.__annotations__ = {"cart": Cart, "more": Cart | None, "return": list[Item]}
    cart = Cart(items=[Item(name="tea", price=2.5)], point=Point(1, 2))
    args, _ = there_and_back(pay, cart, cart)
    assert args == [cart, cart]
    assert type(args[0].items[0]) is Item
    with pytest.raises(
        tq.InvalidArgument, match=r"^cart.items\[0\].price: Input should be greater than 0, got -1"
    ):
        of(pay).received([{"items": [{"name": "x", "price": -1}]}], {})
    with pytest.raises(tq.InvalidArgument, match=r"^cart: expected Cart, got Item"):
        of(pay).sent((cart.items[0],), {})
    pay.__annotations__["cart"] = Cart | Order
    with pytest.raises(tq.InvalidArgument, match="what is sent as Cart could be Order"):
        typed_call(pay, refuse_ambiguous=True)


def test_a_model_is_refused_for_what_it_was_assigned_since_it_was_made_and_what_is_read_as_it_passes() -> (
    None
):
    pydantic = pytest.importorskip("pydantic")

    class Item(pydantic.BaseModel):  # type: ignore[misc, name-defined]
        price: float
        stock: dict[str, int] = pydantic.Field(default_factory=dict)
        label: Any = None

    def pay(item: Any) -> None: ...

    pay.__annotations__ = {"item": Item}
    item = Item(price=2)
    item.stock = {"oslo": "many"}
    with pytest.raises(
        tq.InvalidArgument, match=r"^item.stock.oslo: Input should be a valid integer, .*'many'"
    ):
        of(pay).sent((item,), {})
    item.stock = {"oslo": "7"}
    args, _ = there_and_back(pay, item)
    assert args[0].stock == {"oslo": 7}
    with pytest.raises(tq.InvalidArgument, match=r"^item: Item cannot be sent: .*lock"):
        of(pay).sent((Item(price=1, label=threading.Lock()),), {})
