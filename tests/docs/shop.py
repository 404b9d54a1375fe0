"""The shop that the pictures of the page show: tasks that succeed, fail, wait and take long."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Literal

import tq

app = tq.App()
chance = random.Random()  # noqa: S311 - how long letters take
SMTP = tq.Limit("smtp", max_running=6, by="{host}")


def here() -> tq.Context:
    context = tq.current()
    assert context is not None, "in a task"
    return context


@dataclass
class Order:
    item: str
    price: float
    count: int = 1


@app.task(queue="images")
def resize(number: int, width: int = 320) -> str:
    time.sleep(chance.uniform(0.2, 0.5))
    return f"{number}-{width}.webp"


@app.task(queue="mail", tenant="{customer}", index=["customer"], limits=[SMTP])
def send(customer: str, host: str = "smtp.example.org", password: str = "") -> str:
    time.sleep(chance.uniform(0.02, 0.2))
    if chance.random() < 0.03:
        raise ConnectionError(f"{host} refuses: 451 try later")
    if chance.random() < 0.005:
        raise ValueError("no such address")
    return customer


@app.task(queue="orders")
def charge(order: Order, method: Literal["card", "invoice"] = "card", note: str = "") -> float:
    time.sleep(0.3)
    return order.price * order.count


@app.task(queue="reports")
def report(month: str) -> str:
    for page in range(1, 2_001):
        here().progress(page, 2_000, month)
        time.sleep(1)
    return month


@app.task(queue="rates", retries=1, backoff=2.0)
def fetch_rates(day: str) -> dict[str, float]:
    raise TimeoutError("the bank does not answer within 2 s")


@app.task(queue="reports")
def total(parts: list[float]) -> float:
    return sum(parts)


@app.task(queue="reports")
def publish(figures: float) -> str:
    return f"{figures:.2f}, approved by {here().wait_for('approved')}"


@app.task(queue="cleanup")
def cleanup(days: int = 7) -> int:
    time.sleep(0.4)
    if chance.random() < 0.1:
        raise OSError(28, "No space left on device")
    return days


@app.task(queue="video", needs={"gpu": 1})
def render(scene: str) -> str:
    return scene
