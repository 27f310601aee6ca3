"""The course's own servers, as their commands start them."""

import contextlib
import json
import os
import subprocess
import sys
import time

from tools import browser, chapter


@contextlib.contextmanager
def started(folder, *command):
    """The server of ``python -m COMMAND``: its address with the token, which it writes into a file of its user's."""
    words = [*command, "--no-browser", f"--port={browser.free_port()}", "--ServerApp.port_retries=0"]
    with open(folder / "log", "w") as log:
        own = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("RUNTIME", "CONFIG", "DATA")}
        own |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("SETTINGS", "WORKSPACES")}
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=chapter.ROOT,
            env=os.environ | own | {"JUPYTER_TOKEN": ""},
            stdout=log,
            stderr=log,
        )
        try:
            told = folder / f"runtime/jpserver-{process.pid}.json"
            end = time.monotonic() + browser.SECONDS
            while not (told.exists() and told.read_text().endswith("}")):
                assert time.monotonic() < end and process.poll() is None, (folder / "log").read_text()
                time.sleep(0.2)
            server = json.loads(told.read_text())
            yield f"{server['url']}?token={server['token']}"
        finally:
            process.terminate()
            process.wait(timeout=browser.SECONDS)
