"""An expense waits for a person: for three days at most, without a slot, whatever is restarted meanwhile.

    tq-worker expense.py
    tq submit expense:expense Ada 40
    tq signal ID decided '{"ok": true, "by": "Grace"}'      with an admin's key

The answer of a person is a signal. Only keys with the role ``admin`` are listened to; a task cannot approve itself.
"""

import tq

app = tq.App()
DAY = 86_400


def pay(who: str, amount: float) -> str:
    return f"{who} is paid {amount:g}"


@app.task(retries=3)
def expense(ctx: tq.Context, who: str, amount: float, deadline: float = 3 * DAY) -> str:
    if amount < 20:
        return ctx.step("pay", pay, who, amount)
    try:
        answer = ctx.wait_for("decided", timeout=deadline, role="admin")
    except TimeoutError:
        return f"no one has decided about the {amount:g} of {who} in time"
    if not answer.value["ok"]:
        return f"{answer.value['by']} says no to the {amount:g} of {who}"
    return ctx.step("pay", pay, who, amount) + f", approved by {answer.value['by']}"
