"""How soon a kernel answers a control while a lab trains in it: on the event loop, as it does, or in a thread.

    python benchmarks/live.py [name ...]

A real kernel, and a client that does what the page does: it sends a slider's new value and waits for the sentence that
names it. The course promises 100 ms. ``steps`` is what the training got done in the meantime, per second.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from jupyter_client.manager import start_new_kernel

MOVES = 40  # a mode
SETUP = """
import asyncio, json, threading
from vaecourse import labs
from vaecourse.labs import live
lab = labs.ALL["{name}"]()
stop = threading.Event()

def by_thread():
    pieces = lab.trainer.work(lambda: lab.settings)
    with live.one_thread():
        while not stop.is_set():
            next(pieces)

ids = [lab.controls["lambda_"].comm.comm_id, lab.sentence.comm.comm_id]
"""
MODES = {
    "at rest": ("pass", "pass"),
    "loop": ("lab.start()", "lab.pause()"),
    "thread": ("worker = threading.Thread(target=by_thread); worker.start()", "stop.set(); worker.join()"),
}


def ask(client: object, code: str, expression: str = "0") -> str:
    """Run code in the kernel; return what an expression is then."""
    reply = client.execute_interactive(code, user_expressions={"it": expression}, output_hook=lambda _: None)
    return reply["content"]["user_expressions"]["it"]["data"]["text/plain"]


def answer(client: object, control: str, sentence: str, value: float) -> float:
    """Milliseconds from the new value of lambda to the sentence that names it."""
    data = {"method": "update", "state": {"value": value}, "buffer_paths": []}
    message = client.session.msg("comm_msg", {"comm_id": control, "data": data})
    start = time.perf_counter()
    client.shell_channel.send(message)
    while True:
        content = client.get_iopub_msg(timeout=30)["content"]
        said = content.get("data", {}).get("state", {}).get("value", "") if content.get("comm_id") == sentence else ""
        if f"{value:g}" in str(said):
            return 1e3 * (time.perf_counter() - start)


def main(names: list[str]) -> int:
    print(f"{'lab':14} {'training':10} {'p50 ms':>8} {'p95 ms':>8} {'max ms':>8} {'steps/s':>8}")
    slow = False
    for name in names or ["06.latent", "08.cockpit"]:
        manager, client = start_new_kernel()
        try:
            control, sentence = eval(ask(client, SETUP.format(name=name), "ids"))  # noqa: S307 - two names of our own
            for mode, (begin, end) in MODES.items():
                before = int(ask(client, begin, "lab.trainer.steps"))
                start, times = time.perf_counter(), []
                for value in np.linspace(2, 999, MOVES).round():
                    times.append(answer(client, control, sentence, value))
                    time.sleep(0.15)
                steps = (int(ask(client, "pass", "lab.trainer.steps")) - before) / (time.perf_counter() - start)
                ask(client, end)
                p50, p95 = np.percentile(times, [50, 95])
                slow |= mode == "loop" and p95 > 100
                print(f"{name:14} {mode:10} {p50:8.1f} {p95:8.1f} {max(times):8.1f} {steps:8.1f}", flush=True)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
