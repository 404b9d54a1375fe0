"""Stock clients of every Python here, in what their programs do now and then: all kinds of items, keywords, crowds, kills.

Python 3.14 need not be here: what it sends differs from 3.13 in the protocol of its pickles alone, 5 instead of 4, and the
others can be made to use that.
"""

from __future__ import annotations

import subprocess
import sys

import tq
from tq.client.items.queue import ItemQueue

from .programs import Master
from .test_gateway import (
    EVERYTHING,
    HEAD,
    Door,
    client,
    door,
    interpreters,
    own_door,
    run_client,
    shared_door,
)

__all__ = ["door", "own_door", "shared_door"]

SECONDS = 60
AS_3_14 = """
import io, pickle
from multiprocessing import reduction
def dumps(cls, obj, protocol=None):
    buffer = io.BytesIO()
    cls(buffer, 5).dump(obj)
    return buffer.getbuffer()
reduction.ForkingPickler.dumps = classmethod(dumps)
"""


def run_whole(python: str, program: str, *arguments: str) -> str:
    """As it stands, without the head that others have."""
    done = subprocess.run(
        [python, "-c", program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{python}: {done.stderr}"
    return done.stdout


def test_clients_that_pickle_as_3_14_does_find_what_their_documentation_says(door: Door) -> None:
    for number, python in enumerate(interpreters()):
        assert run_whole(python, AS_3_14 + HEAD + EVERYTHING, door[1], f"new-{number}") == "well\n"


KINDS = """
import math
deep = []
for _ in range(25):
    deep = [deep, (None,), {"a": ()}]
kinds = [
    None, True, False, 0, -1, 255, 256, 65535, 65536, 2**31 - 1, 2**31, -2**31, -2**31 - 1, 2**63, -2**63, 2**64, -2**200,
    0.0, -0.0, 1.5, 1e308, float("inf"), "", "x" * 300, "x" * 70000, "\\u00fc\\u6f22\\U0001f600\\0", b"", b"x" * 300,
    b"\\xff" * 70000, [], (), {}, set(), frozenset(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [1] * 3000,
    {n: str(n) for n in range(3000)}, set(range(3000)), frozenset("abc"), {b"k": 1, "k": 2, 3: 4}, {(1, 2), ("a", None)},
    {frozenset([1]), frozenset([2])}, [[1], [1]], deep, ["same", "same", 2**70, 2**70, b"x", b"x"],
]
for value in kinds:
    try:
        q.put(value)
        got = q.get(timeout=30)
    except Exception as error:
        raise SystemExit("%r: %s" % (value, error))
    assert got == value and type(got) is type(value) and repr(got) == repr(value) or isinstance(got, (set, frozenset)), value
q.put(float("nan"))
assert math.isnan(q.get())
print("well")
"""


def test_items_of_every_plain_kind_come_back_as_they_were(door: Door) -> None:
    """Pickled as each Python does, and as the newest one does."""
    pythons = interpreters()
    for python, before in [*((python, "") for python in pythons), (pythons[0], AS_3_14)]:
        assert run_whole(python, before + HEAD + KINDS, door[1]) == "well\n"


KEYWORDS = """
small = manager.get_queue(sys.argv[2], kind="fifo", maxsize=2)
small.put(item="a", block=True, timeout=None)
small.put("b", block=False)
assert small.full() and not small.empty() and small.qsize() == 2
for call in (lambda: small.put("c", block=False), lambda: small.put(item="c", timeout=0.05), lambda: small.put("c", True, 0)):
    try:
        call()
    except queue.Full:
        continue
    raise SystemExit("not full")
assert small.get(block=True, timeout=5) == "a"
assert small.get(timeout=None) == "b"
for call in (lambda: small.get(block=False), lambda: small.get(timeout=0), lambda: small.get(True, timeout=0.05)):
    try:
        call()
    except queue.Empty:
        continue
    raise SystemExit("not empty")
small.task_done()
small.task_done()
small.join()
print("well")
"""


def test_block_and_timeout_are_understood_by_place_and_by_name(door: Door) -> None:
    for number, python in enumerate(interpreters()):
        assert run_client(python, KEYWORDS, door[1], f"keywords-{number}") == "well\n"


EXECED = """
import os, subprocess
child = '''
import pickle, sys
from multiprocessing import process
process.current_process().authkey = b"a key for stock clients"
proxy = pickle.loads(bytes.fromhex(sys.argv[1]))
proxy.put(proxy.get(timeout=30) + " and back")
'''
import pickle
q.put("there")
subprocess.run([sys.executable, "-c", child, pickle.dumps(q).hex()], check=True)
assert q.get(timeout=30) == "there and back"
print("well")
"""


def test_a_proxy_goes_to_a_program_of_its_own_as_a_pickle(door: Door) -> None:
    for python in interpreters():
        assert run_client(python, EXECED, door[1]) == "well\n"


CROWD = """
import threading
failed = []
def come(number):
    try:
        mine = connect(b"a key for stock clients").get_task_queue()
        for n in range(5):
            mine.put((number, n))
            mine.get(timeout=30)
            mine.task_done()
    except Exception as error:
        failed.append(repr(error))
threads = [threading.Thread(target=come, args=(number,)) for number in range(50)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failed or "well")
"""


def test_two_hundred_clients_at_once_are_all_served(door: Door) -> None:
    master, port = door
    running = [
        subprocess.Popen([python, "-c", HEAD + CROWD, port], stdout=subprocess.PIPE, text=True)
        for python, _ in zip([*interpreters(), *[sys.executable] * 4], range(4), strict=False)
    ]
    for program in running:
        with program:
            assert program.communicate(timeout=SECONDS)[0] == "well\n"
    with tq.App(master.url, master.authkey) as app:
        assert ItemQueue(app.session, "default").qsize() == 0


# a master that is killed


def keep_its_port(master: Master, port: str) -> None:
    """The gateway listens there after a restart, too."""
    options = master.options
    options[options.index("127.0.0.1:0")] = f"127.0.0.1:{port}"


BLOCKED = """
import threading
def take():
    try:
        while True:
            item = q.get()
            print(item, flush=True)
            q.task_done()
            if item is None:
                return
    except (EOFError, ConnectionError):
        print("cut off", flush=True)
for _ in range(2):  # the proxy is good for as long as it lives: its next thread has a line of its own
    thread = threading.Thread(target=take)
    thread.start()
    thread.join()
    input()
"""


def test_a_blocked_caller_gets_an_error_when_the_master_is_killed_and_goes_on_in_a_new_thread(
    own_door: Door,
) -> None:
    master, port = own_door
    keep_its_port(master, port)
    for python in interpreters():
        with client(python, BLOCKED, port) as program:
            assert program.stdin is not None
            assert program.stdout is not None
            printed = iter(program.stdout.readline, "")
            with tq.App(master.url, master.authkey) as app:
                for number in range(5):
                    ItemQueue(app.session, "default").put(number)
            seen = [next(printed) for _ in range(5)]
            master.kill()
            assert next(printed) == "cut off\n"
            master.start()
            program.stdin.write("go on\n")
            program.stdin.flush()
            with tq.App(master.url, master.authkey) as app:
                items = ItemQueue(app.session, "default")
                for item in (5, None):
                    items.put(item)
                while seen[-1] != "None\n":
                    seen.append(next(printed))
                # the one that was being worked on comes again
                assert seen in (
                    [f"{n}\n" for n in (*range(6), None)],
                    [f"{n}\n" for n in (*range(5), 4, 5, None)],
                )
                program.communicate("\n", timeout=SECONDS)
                assert items.qsize() == 0
