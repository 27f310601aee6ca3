"""A JupyterLab of its own, and a notebook opened in headless Chromium: what the browser tests and the screenshots use.

Nothing of the user's is touched: the server works in a temporary copy, with its own settings, and ends with the block.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import nbformat
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tools import servers, temporary

SECONDS = 120  # for a step, which takes one or two on an idle machine; a chapter's run has a limit of its own
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# What JupyterLab and Chromium themselves print as errors, with no fault of ours.
NOT_OURS = ("favicon", "ResizeObserver loop", "Failed to load resource")


@dataclass(frozen=True)
class Server:
    """A running JupyterLab; ``folder`` is what it shows."""

    url: str
    token: str
    folder: Path

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/{quote(path)}", body, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()

    def end_sessions(self, name: str = "") -> None:
        """A kernel lives until told to end, and would be in the way of whoever comes next. All, or one by name."""
        for session in json.loads(self.ask("api/sessions")):
            if name in session["path"]:
                self.ask(f"api/sessions/{session['id']}", "DELETE")


@contextlib.contextmanager
def server(*notebooks: Path, theme: str = "JupyterLab Light", root: Path | None = None) -> Iterator[Server]:
    """Serve copies of ``notebooks`` from a temporary folder, or the folder ``root`` as it is."""
    with temporary.folder("server") as home:
        folder = Path(home, "notebooks") if root is None else root
        folder.mkdir(exist_ok=True)
        for notebook in notebooks:
            shutil.copy(notebook, folder)
        token, port = secrets.token_hex(16), free_port()
        own = {name: f"{home}/{name.lower()}" for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")}
        own |= {f"JUPYTERLAB_{name}_DIR": f"{home}/{name.lower()}" for name in ("SETTINGS", "WORKSPACES")}
        own |= {"JUPYTER_RUNTIME_DIR": f"{home}/runtime", "JUPYTER_TOKEN": token}
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--expose-app-in-browser"]
        command += [f"--port={port}", "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
        command += [f"--KernelRestarter.time_to_dead={servers.PULSE}"]  # as those of the course look
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
        _setting(Path(own["JUPYTERLAB_SETTINGS_DIR"]), "apputils-extension/notification", quiet)
        _setting(Path(own["JUPYTERLAB_SETTINGS_DIR"]), "apputils-extension/themes", {"theme": theme})
        # All labs in one cell are more than the 50 outputs that JupyterLab shows of a cell.
        _setting(Path(own["JUPYTERLAB_SETTINGS_DIR"]), "notebook-extension/tracker", {"maxNumberOutputs": 200})
        with open(f"{home}/log", "w+", encoding="utf-8") as log:
            process = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
            try:
                served = Server(f"http://127.0.0.1:{port}", token, folder)
                _wait_until_it_answers(served, process, Path(log.name))
                yield served
                served.end_sessions()
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@dataclass
class Notebook:
    """A notebook open in JupyterLab. ``problems`` gathers what the page reports as errors."""

    page: Page
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, page: Page, server: Server, name: str) -> Notebook:
        notebook = cls(page)
        page.set_default_timeout(1000 * SECONDS)
        page.on("pageerror", lambda error: notebook.problems.append(f"page error: {error}"))
        page.on("console", lambda message: notebook._hear(message.type, message.text))
        page.goto(f"{server.url}/lab/tree/{name}?token={server.token}&reset")
        page.wait_for_function(f"{WIDGET}?.context?.isReady && {WIDGET}.sessionContext?.session?.kernel")
        page.wait_for_function(f"{WIDGET}.sessionContext.session.kernel.status === 'idle'")
        return notebook

    def run_all(self, seconds: float = SECONDS) -> None:
        """Run every cell, and wait for the last one."""
        self.page.evaluate("window.allRun = false")
        self.page.evaluate(
            "jupyterapp.commands.execute('notebook:run-all-cells').then(() => (window.allRun = true)), 0"
        )
        self.page.wait_for_function("window.allRun", timeout=1000 * seconds)

    def run_down_to(self, words: str, seconds: float = SECONDS) -> None:
        """Run the cells down to the first one with these words, and wait for it."""
        self.page.evaluate("window.allRun = false")
        self.page.evaluate(
            f"""(words) => {{
                const content = {WIDGET}.content;
                const cell = content.widgets.findIndex((cell) => cell.model.sharedModel.source.includes(words));
                if (cell < 0) throw new Error(`no cell has ${{words}}`);
                content.activeCellIndex = cell + 1;
                jupyterapp.commands.execute("notebook:run-all-above").then(() => (window.allRun = true));
            }}""",
            words,
        )
        self.page.wait_for_function("window.allRun", timeout=1000 * seconds)

    def errors(self) -> list[str]:
        """The last lines of the tracebacks in the notebook's outputs."""
        outputs = self.page.evaluate(
            f"[...{WIDGET}.content.model.cells].filter((cell) => cell.type === 'code')"
            ".flatMap((cell) => cell.outputs.toJSON())"
        )
        return [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]

    def lab(self, name: str, number: int = 0) -> Locator:
        """The live lab that the cell with ``labs.ALL["name"]`` shows (its ``number``-th), scrolled into view."""
        self.page.evaluate(
            f"""async (name) => {{
                const content = {WIDGET}.content;
                const cell = content.widgets.findIndex((cell) => cell.model.sharedModel.source.includes(name));
                if (cell < 0) throw new Error(`no cell mentions ${{name}}`);
                content.activeCellIndex = cell;
                await content.scrollToItem(cell, "start", 0);
            }}""",
            f'labs.ALL["{name}"]',
        )
        lab = self.page.locator(".jp-Cell.jp-mod-active .vaecourse-lab").nth(number)
        lab.wait_for()
        lab.scroll_into_view_if_needed()
        return lab

    def wait_for_words(self, lab: Locator, other_than: str = "", equal_to: str | None = None) -> None:
        """Wait until the sentence and the picture's name agree on something new (or on ``equal_to``)."""
        self.page.wait_for_function(
            """([lab, old, wanted]) => {
                const words = lab.querySelector(".vaecourse-sentence").textContent;
                const told = lab.querySelector(".vaecourse-picture canvas").getAttribute("aria-label").endsWith(words);
                return told && (wanted === null ? words !== old : words === wanted);
            }""",
            arg=[lab.element_handle(), other_than, equal_to],
        )

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and not any(known in text for known in NOT_OURS):
            self.problems.append(f"console: {text}")


WIDGET = "window.jupyterapp?.shell?.currentWidget"


def picture(lab: Locator) -> str:
    """Which of its pictures a lab shows: they are counted."""
    return lab.locator(".vaecourse-picture canvas").get_attribute("data-shown") or ""


def words(lab: Locator) -> str:
    return lab.locator(".vaecourse-sentence").text_content() or ""


def notebook_of(code: str, path: Path) -> Path:
    """A notebook of one cell."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)], metadata=kernel), path)
    return path


def _setting(folder: Path, plugin: str, settings: dict[str, object]) -> None:
    path = folder / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings), encoding="utf-8")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def _wait_until_it_answers(served: Server, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError):
            served.ask("api/status")
            return
        time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")
