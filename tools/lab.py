"""JupyterLab on the course, as ``make lab`` and ``make teach`` start it.

    python -m tools.lab                          chapter 00 of the learner's edition, in the browser
    python -m tools.lab --no-browser             the same, and no browser is opened
    python -m tools.lab chapters/03-iwae.ipynb   a chapter whole, with solutions and teaching notes

The learner's edition is made first, or brought up to date: tools/edition.py. Its folder is the notebook's, for example
learn/. Of what can be added to a Jupyter server only JupyterLab and its
terminal are loaded: no Voila, which would run notebooks when their page is asked for, and no Jupytext, which would
write a notebook's .py when it is saved. Needs no more than the extra `lab`.

A notebook that is opened draws the outputs saved in it, trusted or not. None of them may fetch from elsewhere or send:
what draws by a program of the notebook's own is off (Vega), a page loads from this server alone (a picture from another
would tell it who reads the text), and the token is not in the page, which has its cookie. A file of the folder that is
opened as a page of its own runs no program at all: it would know the secret path from its own address, and could carry
it to a server of another user, to which the browser adds the cookie.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from jupyterlab.labapp import LabApp
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from tools import contents, edition, ending, environment, made, servers

START = edition.FOLDER / "00-start-here.ipynb"
ASKS = {"--help", "-h", "--help-all", "--version"}  # and starts nothing
KERNELS = 12
LONGEST = 512 * 2**20  # bytes that can be saved, as Jupyter has it; whoever sends more is cut off with no word
IDLE = 8 * 3600  # seconds: a night's training ends in time, and so does what was forgotten

DRAWN_BY_PROGRAM = ["@jupyterlab/vega5-extension"]  # of what JupyterLab shows untrusted, what loads data and pictures
POLICY = (
    "default-src 'self'",
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",  # JupyterLab compiles schemas; a lab is a blob
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self' data: blob: ws://{host} wss://{host}",  # 'self' is no websocket to every browser
    "worker-src 'self' blob:",
    "frame-src 'self' data: blob:",
    "object-src 'self' data: blob:",
    "base-uri 'self'",
    "form-action 'self'",
    "frame-ancestors 'self'",
)
OURS = ("lab", "doc", "static/", "login", "logout")  # where pages and programs of JupyterLab's own are
NO_PROGRAM = (
    "sandbox",  # no scripts, no forms, no way to another page by itself
    "default-src 'none'",
    "img-src 'self' data:",
    "media-src 'self' data:",
    "style-src 'unsafe-inline'",
    "font-src data:",
)


class Policy(OutputTransform):
    """A second policy beside Jupyter's own: a browser keeps to both. ``servers.Foreign`` has looked at the host."""

    def __init__(self, base_url: str, request: HTTPServerRequest) -> None:
        ours = request.path.removeprefix(base_url).startswith(OURS)
        self.policy = "; ".join(POLICY if ours else NO_PROGRAM).format(host=request.host)

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        headers.add("Content-Security-Policy", self.policy)
        return status_code, headers, chunk


def without_token(_: Any, page: dict[str, Any]) -> dict[str, Any]:
    """What is told to the page of JupyterLab, after all that is read from files."""
    page["token"] = ""
    page["disabledExtensions"] = [*dict.fromkeys([*page["disabledExtensions"], *DRAWN_BY_PROGRAM])]
    return page


class Server(servers.Server):
    """One whose pages keep to that."""

    def init_webapp(self) -> None:
        super().init_webapp()
        self.web_app.settings["page_config_hook"] = without_token
        self.web_app.add_transform(partial(Policy, self.base_url))


class Lab(LabApp):
    """JupyterLab on a server of the course."""

    serverapp_class = Server
    serverapp_config = {"jpserver_extensions": {"jupyter_server_terminals": True}}  # and JupyterLab, and no others

    @classmethod
    def get_extension_package(cls) -> str:
        return "jupyterlab"

    @classmethod
    def make_serverapp(cls, **more: Any) -> Server:
        settings = servers.settings(most=KERNELS, idle=IDLE, look=300)
        settings.ServerApp.file_to_run = str(START)
        settings.ServerApp.contents_manager_class = contents.Contents
        settings.ServerApp.max_body_size = settings.ServerApp.max_buffer_size = LONGEST
        return cls.serverapp_class.instance(config=settings, **more)


def opens_the_edition(arguments: list[str]) -> bool:
    """Whether a notebook of learn/ is opened: where none is named, or one of it."""
    named = [Path(word) for word in arguments if not word.startswith("-") and (word.endswith(".ipynb") or "/" in word)]
    within = any(path.absolute().is_relative_to(edition.FOLDER) for path in named)
    return (within or not named) and not ASKS & set(arguments)


@ending.reports("lab")
def main(arguments: list[str]) -> int:
    ending.refuse_a_shared_home()
    environment.whole_addresses()
    if opens_the_edition(arguments) and edition.main([]):
        return 1
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what the stored outputs were made with: docs/same-seed.md
    with made.in_use("running JupyterLab"):
        Lab.launch_instance(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
