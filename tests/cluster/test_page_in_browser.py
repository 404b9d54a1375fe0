"""``tq web`` in a real browser: what the scripts and styles of the page do, and what the browser forbids them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
import tq
from tq.client.items.queue import ItemQueue
from tq.web.table import NAVIGATION
from xprocess import XProcess

from .browsing import Tab, in_thread, log_in
from .conftest import WorkerFactory
from .page_client import PageProgram
from .programs import Master, free_port

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>"
TIME = 180  # seconds: a browser is started, and all that runs beside it waits
PHONE = {"width": 390, "height": 844}
# Widths, as a person would notice: nothing stands out on the right.
GROUND = "getComputedStyle(document.documentElement).backgroundColor"
SEEN = "document.querySelector('.graph > svg').getAttribute('viewBox').split(' ').map(Number)"
DARK = "rgb(18, 21, 20)"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def submit(app: tq.App, queue: str, *args: object, many: int = 0) -> None:
    """From another thread: playwright has its event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        task = app.named("jobs:held", queue=queue)
        thread.submit(lambda: task.map(range(many)) if many else task.submit(*args)).result()


def filled(app: tq.App) -> tuple[str, str, str, str, str]:
    """A task that failed, one that another needs, a flow, a worker and a schedule: what has a view of its own."""

    def fill() -> tuple[str, str, str, str]:
        failed = app.named("cluster_tasks:fail").submit("for the page")
        assert failed.exception(timeout=20) is not None
        with app.flow("shown") as flow:
            needed = app.named("cluster_tasks:add").submit(1, 2)
            app.named("cluster_tasks:add").submit(needed, 3)
        app.schedules.add("nightly", "cluster_tasks:add", cron="0 3 * * *", args=(1, 2))
        ItemQueue(app.session, "letters").put({"to": "ann", "password": "1234"})
        rows = app.call(("get_workers",), "list")
        return failed.id, needed.id, flow.id, rows[0]["node"]

    with ThreadPoolExecutor(1) as thread:
        return (*thread.submit(fill).result(), "nightly")


class Viewed(NamedTuple):
    """A tab of a person who is logged in by a link."""

    tab: Tab
    url: str


@pytest.fixture
def viewed(browser: Any, page_program: PageProgram) -> Iterator[Viewed]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    tab = Tab(context)
    tab.page.goto(page_program.link)
    tab.page.wait_for_url(page_program.url + "/")
    tab.live()
    yield Viewed(tab, page_program.url)
    context.close()


def on_a_telephone(browser: Any, viewed: Viewed) -> Tab:
    """The same person's."""
    state = viewed.tab.page.context.storage_state()
    return Tab(browser.new_context(viewport=PHONE, color_scheme="dark", storage_state=state, has_touch=True))


@pytest.mark.timeout(TIME)
def test_what_changes_is_seen_in_every_tab_and_nothing_moves_below_a_pointer(
    viewed: Viewed, master: Master, app: tq.App
) -> None:
    tab, url = viewed
    for number in range(12):
        submit(app, f"q{number:02}", HOSTILE, number)
    tab.until("document.querySelector('.chart canvas') !== null")
    context = tab.page.context
    assert [(one["httpOnly"], one["sameSite"]) for one in context.cookies()] == [(True, "Strict")]

    # live: a number changes without a reload, in a tab that leads the stream and in one that follows it
    tab.page.evaluate("window.kept = true")
    other = Tab(context)
    other.page.goto(url + "/queues")
    other.live()
    other.until("(window.row = document.querySelector(\"tr[data-key='q-q00']\")) !== null")
    submit(app, "q00", many=30)
    for one in (tab, other):
        one.page.bring_to_front()
        one.until("[...document.querySelectorAll('#live td.n')].some((cell) => cell.textContent === '31')")
    assert tab.page.evaluate("window.kept") is True
    assert other.page.evaluate("window.row.isConnected"), "the row has changed; it is not another one"

    # nothing moves below a pointer; what came meanwhile is said, and is there when the pointer leaves
    row = other.page.locator("tr[data-key='q-q05']")
    row.hover()
    place = row.bounding_box()
    submit(app, "a-first")
    other.until("!document.getElementById('waiting').hidden")
    assert row.bounding_box() == place
    other.page.mouse.move(700, 20)
    other.until("document.querySelector(\"tr[data-key='q-a-first']\") !== null")

    # a change, by the button that asks
    row.get_by_role("button", name="Pause").click()
    other.page.locator(".ask:popover-open input[name='reason']").fill("<b>the disk</b>")
    other.page.locator(".ask:popover-open button.main").click()
    other.until("(document.querySelector('.note') || {innerText: ''}).innerText.includes('q05 is paused')")
    other.page.mouse.move(700, 20)  # off the rows: what the master says later is held back below a pointer
    other.until("document.querySelector(\"tr[data-key='q-q05']\").textContent.includes('<b>the disk</b>')")

    # by keyboard alone: to the tasks, into the filter, to a row, into it
    other.page.keyboard.press("g")
    other.page.keyboard.press("t")
    other.page.wait_for_url("**/tasks")
    other.page.keyboard.press("/")
    other.page.keyboard.type("queue=q03")
    other.page.keyboard.press("Enter")
    other.page.wait_for_url("**where=queue*")
    other.page.keyboard.press("Escape")
    other.page.keyboard.press("j")
    other.page.keyboard.press("Enter")
    other.page.wait_for_url("**/tasks/*-*")
    assert HOSTILE in other.text(".args"), "it is shown as text"
    assert "worker" in other.text(".why")

    # the master is killed below an open page, and started again
    assert [tab.wrong, other.wrong] == [[], []]
    tab.page.bring_to_front()
    master.kill()
    tab.until("!document.getElementById('away').hidden")
    master.start()
    tab.until("document.getElementById('away').hidden")
    submit(app, "after")
    tab.until("document.getElementById('live').textContent.includes('after')")


@pytest.mark.timeout(TIME)  # axe-core takes a second for a view
def test_no_view_is_wider_than_a_telephone_or_keeps_anybody_out_in_either_theme(
    browser: Any, viewed: Viewed, worker_factory: WorkerFactory, app: tq.App
) -> None:
    worker_factory()
    submit(app, "q00", HOSTILE, 1)
    task, needed, flow, worker, schedule = filled(app)
    more = (
        f"/tasks/{task}",
        f"/tasks/{needed}",
        f"/flows/{flow}",
        f"/workers/{worker}",
        f"/schedule?name={schedule}",
        f"/submit?like={task}",
        "/schedules?cron=0+3+*+*+1",
        "/queues?peek=letters",
    )
    small = on_a_telephone(browser, viewed)
    for path in (*(one.path for one in NAVIGATION), *more):
        small.page.goto(viewed.url + path)
        assert small.page.evaluate(OVERFLOW) <= 0, path
        assert small.page.evaluate(GROUND) == DARK
        assert small.violations() == [], path
    strange = Tab(browser.new_context(viewport=PHONE, color_scheme="dark"))
    strange.page.goto(viewed.url + "/login")
    assert strange.violations() == []
    assert small.wrong == []
    for one in (small, strange):
        one.page.context.close()


@pytest.mark.timeout(TIME)
def test_the_line_of_time_and_the_graph_of_a_flow_follow_keys_pointer_and_fingers(
    browser: Any, viewed: Viewed, worker_factory: WorkerFactory, app: tq.App
) -> None:
    worker_factory()
    tab, url = viewed
    _, _, flow, worker, _ = filled(app)
    small = on_a_telephone(browser, viewed)

    # what a worker ran when: a bar is chosen by keys, and a part is enlarged by dragging over it
    tab.page.goto(f"{url}/workers/{worker}?range=15min")
    tab.until("document.querySelector('.lanes rect.bad') !== null")
    tab.page.focus(".lanes")
    tab.page.keyboard.press("ArrowLeft")
    tab.until("document.querySelector('.detail b') !== null")
    assert "cluster_tasks:" in tab.text(".detail")
    box = tab.page.locator(".lanes").bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + box["width"] - 1, box["y"] + 6, steps=4)
    tab.page.mouse.up()
    tab.page.wait_for_url("**from=*until=*")
    assert "a part" in tab.text(".ranges")

    # two fingers that part enlarge it, and one that goes to the right shows what was before
    shown = f"{url}/workers/{worker}?range=15min"
    y, (left, width), _ = lanes(small, shown)
    middle = left + width / 2
    small.touch(*[[(middle - by, y), (middle + by, y)] for by in (40, 50, 60, 80)])
    small.page.wait_for_url("**from=*until=*")
    since, until = seen_time(small)
    assert until - since == pytest.approx(450, rel=0.02), "they are twice as far from each other"
    y, (left, width), began = lanes(small, shown)
    small.touch(*[[(left + by, y)] for by in (20, 60, 90, 120)])
    small.page.wait_for_url("**from=*until=*")
    since, until = seen_time(small)
    assert until - since == pytest.approx(900, rel=0.01)
    assert began - since == pytest.approx(900 * 100 / width, rel=0.2), (
        "what is shown grows older while the finger moves"
    )
    # a tap says what a bar is, and the second one opens it
    lanes(small, shown)
    small.page.locator(".lanes rect").last.tap(force=True)
    small.until("document.querySelector('.detail b') !== null")
    until_opened(small, lambda: small.page.locator(".lanes rect").last.tap(force=True))

    # the graph of a flow is enlarged and moved by keys and by the pointer, and a drag opens no task
    tab.page.goto(f"{url}/flows/{flow}")
    tab.until("document.querySelector('.graph.moves') !== null")
    seen = [tab.page.evaluate(SEEN)]
    tab.page.focus(".graph")
    for keys in ("+", "ArrowRight", "0"):
        tab.page.keyboard.press(keys)
        seen.append(tab.page.evaluate(SEEN))
    assert seen[1][2] < seen[0][2], "enlarged: less of it is seen"
    assert seen[2][0] > seen[1][0]
    assert seen[3] == seen[0]
    box = tab.page.locator(".graph a").first.bounding_box()
    tab.page.mouse.move(box["x"] + 10, box["y"] + 10)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] - 30, box["y"] + 40, steps=4)
    tab.page.mouse.up()
    assert tab.page.evaluate(SEEN)[0] > seen[0][0]
    assert tab.page.url.endswith(flow)

    # by fingers: one moves it, two enlarge it, and a tap that trembles opens a task
    small.page.goto(f"{url}/flows/{flow}")
    small.until("document.querySelector('.graph.moves') !== null")
    small.page.locator(".graph").scroll_into_view_if_needed()
    box = small.page.locator(".graph").bounding_box()
    middle, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    seen = [small.page.evaluate(SEEN)]
    small.touch(*[[(middle - by, y)] for by in (0, 20, 40, 60)])
    seen.append(small.page.evaluate(SEEN))
    assert seen[1][0] > seen[0][0], "moved to the left: more of the right is seen"
    assert seen[1][2] == seen[0][2]
    small.touch(*[[(middle - by, y), (middle + by, y)] for by in (30, 45, 60)])
    seen.append(small.page.evaluate(SEEN))
    assert seen[2][2] == pytest.approx(seen[1][2] / 2, rel=0.05)
    small.page.locator("button[data-graph='0']").tap()

    def touch_a_task() -> None:
        box = small.page.locator(".graph a").first.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        small.touch([(x, y)], [(x + 3, y + 4)])

    until_opened(small, touch_a_task)
    assert [tab.wrong, small.wrong] == [[], []]
    small.page.context.close()


def lanes(tab: Tab, url: str) -> tuple[float, tuple[float, float], float]:
    """What a worker ran when: the middle of it from above, from where it is and how wide, and when it begins."""
    tab.page.goto(url)
    found = tab.page.locator(".lanes").first
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    assert box is not None
    began = float(tab.page.get_attribute(".tracks", "data-since") or 0)
    return box["y"] + box["height"] / 2, (box["x"], box["width"]), began


def until_opened(tab: Tab, touch: Callable[[], None]) -> None:
    """Touch until a task is opened: a browser that gets no time between the finger's coming and its going takes it for one that stays, and
    narrow bars go on with the time, so that another one may be below the finger, which is chosen first."""
    too_late = pytest.importorskip("playwright.sync_api").TimeoutError
    for _ in range(5):
        touch()
        with suppress(too_late):
            tab.page.wait_for_url("**/tasks/*-*", timeout=3_000)
            return
    raise AssertionError(f"no task was opened at {tab.page.url}")


def seen_time(tab: Tab) -> tuple[float, float]:
    asked = parse_qs(urlsplit(tab.page.url).query)
    return float(asked["from"][0]), float(asked["until"][0])


@pytest.mark.timeout(TIME)
def test_the_filter_says_what_can_be_written_next_and_points_at_what_is_wrong(
    viewed: Viewed, app: tq.App
) -> None:
    tab, url = viewed
    submit(app, "q03", 1)
    # by keys alone and without moving the page
    tab.page.goto(url + "/tasks")
    field, below = tab.page.get_by_role("combobox", name="Filter"), tab.page.locator(".chips")
    tab.until("document.querySelector('.chips .chip') !== null")  # the counts may be of the moment before
    place = below.bounding_box()
    field.press_sequentially("stat")
    tab.page.get_by_role("option", name="state=").wait_for()
    assert below.bounding_box() == place
    for key in ("ArrowDown", "Enter"):
        field.press(key)
    tab.page.get_by_role("option", name="state=ready").wait_for()
    field.press_sequentially("fai")
    tab.until("document.querySelectorAll('#hints li').length === 1")
    assert tab.violations() == []
    for key in ("ArrowDown", "Tab"):
        field.press(key)
    field.press_sequentially("queue=q03")
    tab.page.get_by_role("option").wait_for(state="hidden")
    assert field.input_value() == "state=failed queue=q03"
    field.fill("queue=q03 stat=failed n")
    tab.page.get_by_role("option", name="name=").wait_for()
    field.press("Escape")
    assert tab.page.evaluate("[document.activeElement.id, document.activeElement.ariaExpanded]") == [
        "where",
        "false",
    ]
    field.fill("queue=q03 stat=failed")
    field.press("Enter")
    tab.page.wait_for_url("**stat%3Dfailed")
    assert "did you mean state?" in tab.text("#filter-error")
    chosen = "((one) => one.value.slice(one.selectionStart, one.selectionEnd))(document.activeElement)"
    assert tab.page.evaluate(chosen) == "stat"
    assert tab.wrong == []


@pytest.mark.timeout(TIME)
def test_what_was_typed_stays_after_a_mistake_and_two_clicks_submit_one_task(
    viewed: Viewed, app: tq.App
) -> None:
    tab, url = viewed
    tab.page.goto(f"{url}/submit?name=jobs:held")
    tab.page.get_by_label("Keyword arguments").fill("size=[1")
    tab.page.get_by_label("Tags").fill("order")
    send = tab.page.get_by_role("button", name="Submit", exact=True)
    said = tab.page.get_by_role("alert")
    for right in ({"Keyword arguments": "size=[1]"}, {"Tags": "order=7"}):
        send.click()
        said.wait_for()
        tab.looks_again()  # where nothing is known any more of what was typed
        for label, text in right.items():
            assert tab.page.get_by_label(label).input_value() == text.replace("]", "").replace("=7", "")
            tab.page.get_by_label(label).fill(text)
        tab.page.evaluate("document.querySelector('[role=alert]').remove()")
    send.dblclick()
    tab.page.wait_for_url("**/tasks/*-*")
    tab.page.goto(url + "/tasks?where=tag.order%3D7")
    assert tab.page.locator("#live tbody tr").count() == 1
    assert tab.wrong == []


OF_ADMINS = ("Drain", "Hold tasks back")
# What a person reaches by the Tab key alone, and whether each can be seen to have the focus.
REACHABLE = (
    "[...document.querySelectorAll('a[href], button, input, select, textarea, [tabindex=\"0\"]')].filter((one) => "
    "one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.type !== 'hidden').length"
)
FOCUSED = """(() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one), box = one.getBoundingClientRect();
  window.tabbed = (window.tabbed || new Set()).add(one);
  return [window.tabbed.size, one.outerHTML.slice(0, 200), style.outlineStyle !== 'none' || style.boxShadow !== 'none',
          box.bottom > 0 && box.top < innerHeight];
})()"""


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_each_role_gets_in_and_is_offered_what_it_may_do(
    browser: Any, master: Master, worker_factory: WorkerFactory, page_program: PageProgram, app: tq.App
) -> None:
    worker_factory()
    submit(app, "q00", many=30)
    task, *_ = filled(app)
    with tq.App(master.url, master.key("admin"), role="admin") as admin:
        viewer = in_thread(lambda: admin.call(("get_keys",), "add", "viewer", [], "who looks"))
    keys = {"admin": master.key("admin"), "client": master.key("client"), "viewer": viewer}
    for role, key in keys.items():
        tab = Tab(browser.new_context(viewport={"width": 1440, "height": 900}))
        log_in(tab, page_program.url, key)
        tab.page.wait_for_url(page_program.url + "/")
        named = {one.inner_text() for one in tab.page.locator("nav[aria-label='Views'] a").all()}
        assert ("Keys" in named) == (role == "admin")
        offered: set[str] = set()
        for path in (*(one.path for one in NAVIGATION if one.title in named), f"/tasks/{task}"):
            tab.page.goto(page_program.url + path)
            offered |= {one.inner_text() for one in tab.page.locator("main").get_by_role("button").all()}
        assert set(OF_ADMINS) <= offered if role == "admin" else not set(OF_ADMINS) & offered, (role, offered)
        assert ("Retry" in offered) == (role != "viewer"), offered
        assert tab.wrong == []
        if role == "viewer":
            asks_for_what_is_refused_once(tab, page_program.url, app)
        tab.page.context.close()
    strange = Tab(browser.new_context())
    for key, said in ((master.key("worker"), "worker key"), (keys["client"][:-3] + "000", "mistyped")):
        log_in(strange, page_program.url, key)
        assert said in strange.page.get_by_role("alert").inner_text()
    strange.page.context.close()


def asks_for_what_is_refused_once(tab: Tab, url: str, app: tq.App) -> None:
    asked: list[str] = []
    tab.page.on("request", lambda one: asked.append(one.url) if one.url == url + "/keys" else None)
    with tab.page.expect_response(url + "/keys") as refused:
        tab.page.goto(url + "/keys")
    assert refused.value.status == 403
    tab.page.evaluate("window.events = 0; document.addEventListener('tq:point', () => window.events++); 0")
    for count in range(3):  # each is an event by itself, later than the page waits between two looks
        before = tab.page.evaluate("window.events")
        submit(app, "q01", count)
        tab.until(f"window.events > {before}")
    assert asked == [url + "/keys"]


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_every_action_is_reached_by_the_tab_key_and_seen_to_have_the_focus(
    browser: Any, master: Master, worker_factory: WorkerFactory, page_program: PageProgram, app: tq.App
) -> None:
    worker_factory()
    submit(app, "q00", many=3)
    task, _, flow, worker, schedule = filled(app)
    tab = Tab(browser.new_context(viewport={"width": 1280, "height": 800}))
    tab.page.goto(page_program.link)
    tab.page.wait_for_url(page_program.url + "/")
    more = (f"/tasks/{task}", f"/flows/{flow}", f"/workers/{worker}", f"/schedule?name={schedule}", "/submit")
    for path in (*(one.path for one in NAVIGATION), *more):
        tab.page.goto(page_program.url + path)
        most = int(tab.page.evaluate(REACHABLE))
        seen = 0
        for _ in range(most + 10):
            tab.page.keyboard.press("Tab")
            found = tab.page.evaluate(FOCUSED)
            if found is None or found[0] == seen:
                break  # around
            seen, what, is_seen, is_in_sight = found
            assert is_seen, f"{path}: the focus is not seen at {what}"
            assert is_in_sight, f"{path}: the focus is out of sight at {what}"
        assert seen >= most, f"{path}: {seen} of {most} are reached"
    assert tab.wrong == []
    tab.page.context.close()


@pytest.mark.thorough
@pytest.mark.timeout(180)
def test_a_page_that_is_killed_below_a_tab_and_started_again_asks_for_the_key(
    browser: Any, master: Master, xprocess: XProcess, home: Path
) -> None:
    bind = f"127.0.0.1:{free_port()}"
    programs = [PageProgram(xprocess, home, master, "--bind", bind) for _ in range(2)]
    tab = Tab(browser.new_context())
    try:
        programs[0].start()
        log_in(tab, f"http://{bind}", master.key("client"))
        tab.page.wait_for_url(f"http://{bind}/")
        programs[0].kill()
        tab.until("!document.getElementById('away').hidden")
        programs[1].start()
        tab.page.wait_for_url("**/login?next=*", timeout=60_000)
        tab.page.get_by_label("Key").fill(master.key("client"))
        tab.page.get_by_role("button", name="Log in").click()
        tab.page.wait_for_url(f"http://{bind}/")
    finally:
        tab.page.context.close()
        for program in programs:
            program.end()
