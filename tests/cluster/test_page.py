"""``tq web`` on a real cluster, without a browser: who gets in, what each role sees and does, what hostile text becomes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import tq
from tq.web.pacing import TRIES_FREE_MAX
from tq.web.table import ACTIONS, VIEWS
from xprocess import XProcess

from .conftest import Cluster, Master, MasterFactory
from .page_client import Browser, PageProgram
from .programs import START_SECONDS, eventually, run_program


@pytest.fixture(scope="module")
def page(
    cluster: Cluster, xprocess: XProcess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageProgram]:
    program = PageProgram(xprocess, tmp_path_factory.mktemp("page"), cluster.master, "--open")
    try:
        program.start()
        yield program
    finally:
        program.end()


@pytest.fixture(scope="module")
def admin(page: PageProgram, cluster: Cluster) -> Browser:
    browser = Browser(page.url)
    assert browser.log_in(cluster.master.key("admin")).status == 303
    return browser


@pytest.fixture(scope="module")
def viewer(page: PageProgram, cluster: Cluster) -> Browser:
    with tq.App(cluster.master.url, cluster.master.authkey, role="admin") as app:
        token = app.call(("get_keys",), "add", "viewer", [], "a person who looks")
    browser = Browser(page.url)
    assert browser.log_in(token).status == 303
    return browser


def test_without_a_log_in_every_address_leads_to_the_log_in(page: PageProgram) -> None:
    stranger = Browser(page.url)
    for path in VIEWS:
        answer = stranger.get(path.replace("{", "").replace("}", ""))
        assert answer.status == 303, path
        assert answer.where.startswith("/login?next="), path
    for path in ("/events", "/series"):
        assert stranger.get(path).status == 401
    for path in ACTIONS:
        answer = stranger.post(path.replace("{", "").replace("}", ""), {"queue": "x"})
        assert answer.where.startswith("/login"), path


def test_the_cookie_is_for_this_page_alone_and_for_no_script(page: PageProgram, cluster: Cluster) -> None:
    answer = Browser(page.url).log_in(cluster.master.key("client"))
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert cluster.master.key("client") not in cookie


def test_a_cookie_that_was_stolen_is_worth_nothing_after_the_log_out(
    page: PageProgram, cluster: Cluster
) -> None:
    browser, thief = Browser(page.url), Browser(page.url)
    browser.log_in(cluster.master.key("client"))
    thief.cookies = dict(browser.cookies)
    assert thief.get("/queues").status == 200
    assert browser.post("/logout", {"csrf": "wrong"}).status == 303
    assert thief.get("/queues").status == 200, "a foreign page cannot log a person out"
    browser.cookies = dict(thief.cookies)
    browser.post("/logout", {"csrf": thief.get("/queues").csrf})
    assert thief.get("/queues").status == 303


def test_wrong_keys_are_refused_in_words_and_after_a_few_only_later(
    cluster: Cluster, xprocess: XProcess, tmp_path: Path
) -> None:
    program = PageProgram(xprocess, tmp_path, cluster.master)
    try:
        program.start()
        browser = Browser(program.url)
        wrong = cluster.master.key("client")[:-3] + "000"
        for _ in range(TRIES_FREE_MAX):
            answer = browser.log_in(wrong)
            assert answer.status == 403
            assert "mistyped or cut off" in answer.text
        answer = browser.log_in(cluster.master.key("client"))
        assert answer.status == 429
        assert "Too many wrong keys" in answer.text
        assert int(answer.headers["retry-after"]) > 0
        assert wrong not in program.log
    finally:
        program.end()


def test_the_key_of_a_worker_is_no_key_of_a_person(page: PageProgram, cluster: Cluster) -> None:
    answer = Browser(page.url).log_in(cluster.master.key("worker"))
    assert answer.status == 403
    assert "worker key" in answer.text


def test_a_one_time_link_logs_in_once_and_its_word_is_never_in_an_address(page: PageProgram) -> None:
    _, _, word = page.link.partition("#")
    browser = Browser(page.url)
    assert word not in browser.get("/open").text
    assert browser.post("/open", {"word": word}).status == 303
    assert browser.get("/keys").status == 200
    answer = Browser(page.url).post("/open", {"word": word})
    assert answer.status == 403
    assert "has been used" in answer.text


def test_another_name_another_origin_and_a_change_by_get_are_refused(admin: Browser) -> None:
    assert admin.get("/", host="evil.example.org").status == 421
    token = admin.get("/queues").csrf
    form = {"csrf": token, "queue": "forged"}
    assert admin.post("/queues/pause", form, origin="https://evil.example.org").status == 403
    assert admin.get(f"/queues/pause?csrf={token}&queue=forged").status == 405
    assert admin.post("/queues/pause", {"queue": "forged", "csrf": "guessed"}).status == 403
    assert "forged" not in admin.get("/queues").text


@pytest.mark.parametrize(
    "path", [path for path in VIEWS if "{" not in path and path not in ("/schedule", "/submit")]
)
def test_every_view_is_there_with_its_command_and_its_files(admin: Browser, path: str) -> None:
    answer = admin.get(path)
    assert answer.status == 200
    assert re.search(r'<code id="command">tq [^<]+</code>', answer.text)
    rows = json.loads(admin.get(f"{path}?format=json").text)
    assert len(list(csv.DictReader(io.StringIO(admin.get(f"{path}?format=csv").text)))) == len(rows)


def test_a_part_is_sent_only_if_it_has_changed(admin: Browser) -> None:
    headers = {"hx_request": "true", "hx_target": "live"}
    first = admin.get("/keys", **headers)
    assert "<html" not in first.text
    assert admin.get("/keys", **headers, x_seen=first.headers["x-version"]).status == 204


def test_a_queue_is_paused_with_a_reason_and_resumed(admin: Browser, cluster: Cluster) -> None:
    cluster.app.named("no:such", queue="pausable").submit()
    form = {
        "csrf": admin.get("/queues").csrf,
        "queue": "pausable",
        "reason": "the <disk> is full",
        "back": "/queues",
    }
    assert admin.post("/queues/pause", form).where == "/queues"
    shown = eventually(lambda: "the &lt;disk&gt; is full" in admin.get("/queues").text)
    assert shown
    admin.post("/queues/resume", form)
    rows = cluster.app.call(("get_queues",), "list")
    assert not next(row["paused"] for row in rows if row["name"] == "pausable")


def test_many_are_counted_first_and_cancelled_when_that_is_confirmed(
    admin: Browser, cluster: Cluster
) -> None:
    handles = cluster.app.named("no:such", queue="many").map([1] * 30)
    csrf = admin.get("/tasks").csrf
    form = {"csrf": csrf, "verb": "cancel", "where": "queue=many", "array": "", "back": "/tasks"}
    job = admin.post("/bulk", form).where
    asked = eventually(lambda: (text := admin.get(job).text) and "Cancel 30 tasks?" in text and text)
    assert asked
    assert handles[0].state == "ready", "nothing is done before it was confirmed"
    admin.post(f"{job}/act", {"csrf": csrf})
    assert eventually(lambda: "30 tasks are cancelled" in admin.get(job).text)
    assert {handle.state for handle in handles} == {"cancelled"}


def once_of(form: str) -> str:
    """The key of its own that a form has."""
    found = re.search(r'name="once" value="([\w-]{20,})"', form)
    assert found
    return found[1]


def test_a_task_is_submitted_by_a_form_and_again_with_a_change_and_its_secret_never_leaves_the_server(
    admin: Browser, cluster: Cluster
) -> None:
    first = cluster.app.named("cluster_tasks:no_such", queue="edited", retries=2).submit(
        "a", {"password": "hush"}, size=1
    )
    shown = admin.get(f"/submit?like={first.id}").text
    assert "hush" not in shown + admin.get(f"/tasks/{first.id}").text
    assert "[hidden]" in shown
    assert (
        "app.named(&#39;cluster_tasks:no_such&#39;, queue=&#39;edited&#39;"
        in admin.get(f"/tasks/{first.id}").text
    )
    form = {"csrf": admin.get("/tasks").csrf, "like": first.id, "name": "cluster_tasks:no_such", "queue": "edited",
            "args": '"b"\n{"password": "[hidden]"}', "kwargs": "size=2", "retries": "2", "once": once_of(shown),
            "back": f"/submit?like={first.id}"}  # fmt: skip
    where = admin.post("/submit", form).where
    again = cluster.app.get(where.removeprefix("/tasks/"))
    assert again.arguments == (["b", {"password": "hush"}], {"size": 2})
    assert admin.post("/submit", form).where == where, "sent twice, it is one task"
    edited = admin.post("/submit", {**form, "kwargs": "size=4"}).where
    changed = admin.get(edited).text
    assert "this form was sent already, with other contents" in changed
    other = admin.post("/submit", {**form, "kwargs": "size=4", "once": once_of(changed)}).where
    assert other not in (where, edited)
    refused = admin.post("/submit", {**form, "name": "cluster_tasks:other", "kwargs": "size=3"})
    kept = admin.get(refused.where).text
    assert "write what is meant" in kept, "what is hidden of one callable is no argument of another"
    assert "size=3" in kept, "what was typed is not lost"


def test_a_form_of_a_signature_submits_what_fits_and_refuses_the_rest_by_name(
    admin: Browser, cluster: Cluster
) -> None:
    assert "cluster_tasks:add" in eventually(
        lambda: "(a: int, b: int)" in (text := admin.get("/submit").text) and text
    )
    shown = admin.get("/submit?name=cluster_tasks:add").text
    digest = re.search(r'name="signature" value="([0-9a-f]+)"', shown)
    assert digest
    form = {"csrf": admin.get("/tasks").csrf, "name": "cluster_tasks:add", "signature": digest[1], "p.a": "4", "p.b": "five", "once": once_of(shown),
            "back": "/submit?name=cluster_tasks:add"}  # fmt: skip
    refused = admin.get(admin.post("/submit", form).where).text
    assert "b: expected int, got &#39;five&#39;" in refused
    assert 'value="five"' in refused, "what was typed is not lost"
    done = admin.post("/submit", form | {"p.b": "5"}).where
    assert cluster.app.get(done.removeprefix("/tasks/")).result(timeout=20) == 9
    admin.post("/submit", form | {"signature": "of older code"})
    assert "have other code of cluster_tasks:add" in admin.get("/submit?name=cluster_tasks:add").text


def test_a_strike_a_limit_and_a_tenant_are_changed_from_the_page(admin: Browser, cluster: Cluster) -> None:
    task = cluster.app.named(
        "no:such", queue="struck", tenant="acme", limits=[tq.Limit("smtp", max_running=3)]
    )
    task.submit()
    form = {"csrf": admin.get("/limits").csrf, "back": "/limits"}
    admin.post("/strikes/add", {**form, "condition": "queue=struck", "for": "1h", "reason": "the <disk>"})
    admin.post("/limits/set", {**form, "limit": "smtp", "max_running": "7", "rate": "100/min"})
    admin.post("/tenants/set", {**form, "tenant": "acme", "weight": "3", "max_running": "none"})
    admin.post("/limits/set", {**form, "limit": "smtp", "max_running": "many"})
    text = admin.get("/limits").text
    assert "max running is a whole number, or none" in text
    for said in ("queue=struck", "the &lt;disk&gt;", "smtp", "100/min", "acme"):
        assert said in text, said
    rows = {(row["kind"], row.get("name")): row for row in json.loads(admin.get("/limits?format=json").text)}
    assert rows["limit", "smtp"]["max_running"] == 7
    assert rows["tenant", "acme"]["weight"] == 3
    admin.post("/strikes/remove", {**form, "strike": str(rows["strike", None]["strike"])})
    admin.post("/limits/reset", {**form, "limit": "smtp"})
    admin.post("/tenants/reset", {**form, "tenant": "acme"})
    rows = {(row["kind"], row.get("name")): row for row in json.loads(admin.get("/limits?format=json").text)}
    assert ("strike", None) not in rows
    assert rows["limit", "smtp"]["max_running"] == 3
    assert rows["tenant", "acme"]["weight"] == 1


def test_a_cron_rule_is_said_in_words_and_dates_before_it_is_a_schedule(viewer: Browser) -> None:
    text = viewer.get("/schedules?cron=0+3+*+*+1-5&tz=Europe%2FPrague").text
    assert "at 03:00, on Monday to Friday" in text
    assert text.count("<li><time") == 10
    assert "minute" in viewer.get("/schedules?cron=61+3+*+*+*").text


def test_an_array_is_one_line_that_opens_and_pages_go_on_where_the_last_one_ended(
    admin: Browser, cluster: Cluster
) -> None:
    cluster.app.named("no:such", queue="paged").map([1] * 120)
    listed = admin.get("/tasks?where=queue%3Dpaged").text
    assert "×120" in listed
    found = re.search(r'href="(/tasks\?array=[^"]+)"', listed)
    assert found
    path, seen = found[1].replace("&amp;", "&"), set[str]()
    for rows in (50, 50, 20):
        text = admin.get(path).text
        ids = set(re.findall(r'<tr data-key="([^"]+)"', text))
        assert len(ids) == rows
        assert not ids & seen
        seen |= ids
        following = re.search(r'rel="next" href="([^"]+)"', text)
        path = "" if following is None else following[1].replace("&amp;", "&")
    assert path == ""


def test_the_stream_says_that_something_is_new_and_ends_with_the_log_in(
    page: PageProgram, cluster: Cluster
) -> None:
    browser = Browser(page.url)
    browser.log_in(cluster.master.key("client"))
    csrf = browser.get("/queues").csrf

    def version() -> str:
        while not (line := stream.readline()).startswith(b"data: "):
            assert line, "the stream has ended"
        return str(json.loads(line.removeprefix(b"data: "))["version"])

    with browser.events() as stream:
        before = version()
        cluster.app.named("no:such", queue="streamed").submit()
        assert eventually(lambda: version() != before)
        browser.post("/logout", {"csrf": csrf})
        assert eventually(lambda: not stream.readline())


def test_the_page_survives_the_master_and_says_that_it_is_away(
    xprocess: XProcess, master_factory: MasterFactory, home: Path
) -> None:
    master: Master = master_factory()
    program = PageProgram(xprocess, home, master)
    try:
        program.start()
        browser = Browser(program.url)
        browser.log_in(master.key("admin"))
        master.kill()
        answer = eventually(lambda: (one := browser.get("/workers")).status == 503 and one)
        assert "does not answer" in answer.text
        assert eventually(lambda: "What you see is what it said last" in browser.get("/").text)
        master.start()
        assert eventually(lambda: browser.get("/workers").status == 200)
        assert program.terminate() in (0, -2, -15, 130, 143)
        assert "Traceback" not in program.log
    finally:
        program.end()


def test_a_master_starts_its_page_again_and_is_not_outlived_by_it(master_factory: MasterFactory) -> None:
    master: Master = master_factory("--web", "127.0.0.1:0")

    def pages() -> list[psutil.Process]:
        return [one for one in psutil.Process(master.pid).children() if "tq.client.cli" in one.cmdline()]

    assert eventually(lambda: master.log.count("page.started") == 1, START_SECONDS)
    url = re.findall(r"page.started .* address=(\S+)", master.log)[0]
    assert Browser(url).log_in(master.key("admin")).status == 303
    (first,) = pages()
    assert master.authkey not in first.environ().values()
    first.kill()
    assert eventually(lambda: master.log.count("page.started") == 2, START_SECONDS)
    assert master.log.count("page.ended") == 1
    (second,) = pages()
    master.kill()
    second.wait(10)


def test_a_port_that_is_taken_an_unsafe_address_and_no_master_are_said_in_words(
    page: PageProgram, home: Path
) -> None:
    def said(*words: object, **environment: str) -> str:
        done = run_program("tq", "web", *words, home=home, environment=environment)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        return done.stderr

    port = page.url.rpartition(":")[2]
    assert f"port {port} of 127.0.0.1 is taken" in said(
        "--bind", f"127.0.0.1:{port}", "--url", "tq://127.0.0.1:1"
    )
    assert "--tls-cert and --tls-key" in said("--bind", "0.0.0.0:0", "--url", "tq://127.0.0.1:1")
    assert "no master is named" in said()
    assert "--open needs a key" in said("--open", "--url", "tq://127.0.0.1:1")


@pytest.mark.thorough
def test_a_filter_that_finds_little_stops_in_time_and_goes_on_where_it_stopped(
    admin: Browser, cluster: Cluster
) -> None:
    cluster.app.named("no:such", queue="haystack").map([1] * 120_000)
    needle = cluster.app.named("no:such", queue="haystack", tags={"needle": "1"}).submit()
    cluster.app.named("no:such", queue="haystack").map([1] * 120_000)
    path, found = "/tasks?where=tag.needle%3D1", ""
    for _ in range(50):
        found = admin.get(path).text
        if needle.id in found:
            break
        following = re.search(r'rel="next" href="([^"]+)">Search on', found)
        assert following, "it says that it has not seen all"
        path = following[1].replace("&amp;", "&")
    assert needle.id in found
