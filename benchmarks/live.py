"""How soon a kernel answers a control while a lab trains in it: on an event loop, as it does, or in a thread.

    python benchmarks/live.py [name ...]

A real kernel, and a client that does what the page does: it sends a slider's new value and waits for the sentence that
names it, and for the picture after it. JupyterLab asks the kernel for a subshell, a thread for its widgets, and there
the training runs; Voila and others have the kernel's main loop. The course promises 100 ms. ``steps`` is what the
training got done in the meantime, per second.
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
from vaecourse.labs import trainer
lab = labs.ALL["{name}"]()
stop = threading.Event()

def by_thread():
    pieces = lab.trainer.work(lambda: lab.settings)
    with trainer.one_thread():
        while not stop.is_set():
            next(pieces)

ids = [it.comm.comm_id for it in (lab.controls["lambda_"], lab.sentence, lab.transport)]
"""
THREAD = "stop.clear(); worker = threading.Thread(target=by_thread); worker.start()", "stop.set(); worker.join()"
MODES = {  # whether on a subshell, what begins and what ends
    "at rest": (True, None, None),
    "subshell": (True, "start", "pause"),
    "main loop": (False, "start", "pause"),
    "thread": (True, *THREAD),
}


def ask(client: object, code: str, expression: str = "0") -> str:
    """Run code in the kernel; return what an expression is then."""
    reply = client.execute_interactive(code, user_expressions={"it": expression}, output_hook=lambda _: None)
    return reply["content"]["user_expressions"]["it"]["data"]["text/plain"]


def send(client: object, comm: str, data: dict, subshell: str | None) -> None:
    """What the page sends to a widget."""
    message = client.session.msg("comm_msg", {"comm_id": comm, "data": data})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)


def answer(client: object, ids: list[str], value: float, subshell: str | None) -> tuple[float, float]:
    """Milliseconds from the new value of lambda to the sentence that names it, and to the picture after it."""
    control, sentence, transport = ids
    start, told = time.perf_counter(), 0.0
    send(client, control, {"method": "update", "state": {"value": value}, "buffer_paths": []}, subshell)
    while True:
        content = client.get_iopub_msg(timeout=60)["content"]
        state = content.get("data", {}).get("state", {})
        now = 1e3 * (time.perf_counter() - start)
        if not told and content.get("comm_id") == sentence and f"{value:g}" in str(state.get("value", "")):
            told = now
        elif told and content.get("comm_id") == transport and "shown" in state:
            return told, now


def begin_or_end(client: object, what: str | None, ids: list[str], subshell: str | None) -> None:
    if what in ("start", "pause"):
        send(client, ids[2], {"method": "custom", "content": {"do": what}}, subshell)
    elif what:
        ask(client, what)


def main(names: list[str]) -> int:
    print(f"{'':25} {'sentence, ms':>26} {'picture, ms':>26}")
    print(f"{'lab':12} {'training':12} " + f"{'p50':>8} {'p95':>8} {'max':>8} " * 2 + f"{'steps/s':>8}")
    slow = False
    for name in names or ["06.latent", "08.cockpit"]:
        manager, client = start_new_kernel()
        try:
            ids = eval(ask(client, SETUP.format(name=name), "ids"))  # noqa: S307 - names of our own
            client.control_channel.send(client.session.msg("create_subshell_request"))
            own = client.get_control_msg(timeout=60)["content"]["subshell_id"]
            for mode, (in_subshell, begin, end) in MODES.items():
                subshell = own if in_subshell else None
                before = int(ask(client, "pass", "lab.trainer.steps"))
                begin_or_end(client, begin, ids, subshell)
                start, times = time.perf_counter(), []
                for value in np.linspace(2, 999, MOVES).round():
                    times.append(answer(client, ids, value, subshell))
                    time.sleep(0.15)
                steps = (int(ask(client, "pass", "lab.trainer.steps")) - before) / (time.perf_counter() - start)
                begin_or_end(client, end, ids, subshell)
                found = [f(of) for of in np.array(times).T for f in (np.median, lambda x: np.percentile(x, 95), max)]
                slow |= mode in ("subshell", "main loop") and found[1] > 100
                print(f"{name:12} {mode:12} " + " ".join(f"{x:8.1f}" for x in [*found, steps]), flush=True)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return int(slow)


if __name__ == "__main__":
    import ending

    sys.exit(ending.reports("live")(main)(sys.argv[1:]))
