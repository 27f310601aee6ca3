"""The labs of a chapter live on a projector: Voila's page, full screen, without cells and menus.

    python -m tools.present 03                   the labs of chapter 03, one under the other, on port 8866
    python -m tools.present 03 --no-browser      the same, and no browser is opened

Page Down goes to the next lab; sliders take the arrow keys, Home and End. The slides beside it: ``make slides``.

The page is Voila's, the server is the course's (tools/servers.py). Voila's own server answers every Host, gives its
files to everybody, and has no limit to its kernels. Here nothing is served but the page, what it is made of, and the
way to its kernel, on which a page may talk to its widgets and run no code; all of it behind the token.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
from jupyter_core.paths import jupyter_path
from jupyter_server.base.handlers import FileFindHandler, JupyterHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from jupyter_server.utils import url_path_join
from jupyterlab_server.themes_handler import ThemesHandler
from tornado.web import HTTPError, RequestHandler, authenticated
from traitlets import Unicode
from voila.configuration import VoilaConfiguration
from voila.paths import collect_static_paths, collect_template_paths
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
from voila.static_file_handler import MultiStaticFileHandler, TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.tornado.kernel_websocket_handler import VoilaKernelWebsocketHandler
from voila.utils import get_data_dir, get_voila_labextensions_path

from tools import chapter, ending, environment, made, servers
from vaecourse import files

PORT = 8866
KERNELS = 6  # of half a gigabyte each
IDLE, LOOK = 120, 15  # seconds that a kernel outlives its page, if the page could not end it, and from check to check
KERNEL = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"

# What the page may send to its kernel: it talks to widgets, and runs no code.
MESSAGES = ["comm_open", "comm_close", "comm_msg", "comm_info_request", "kernel_info_request", "shutdown_request"]

FOLDER = chapter.ROOT / "build/present"

# Everything larger, and each lab on a screen of its own: 1280 x 720 is what a projector shows.
STYLE = """\
from IPython.display import HTML, display

from vaecourse import labs

display(HTML('''<style>
body, .jp-Cell { background: #fff !important; }
.jp-Cell, .jp-Notebook { padding: 0 !important; margin: 0 !important; }
.vaecourse-lab { zoom: 1.15; min-height: calc(100vh / 1.15); box-sizing: border-box; padding: 4px 24px; }
body .vaecourse-lab:has(.vaecourse-stage).jupyter-widgets-disconnected::before {
  content: "No kernel is behind this page any more. Reload it: F5. The lab comes back in this setting.";
}
</style>'''))"""


def labs_of(source: Path) -> list[str]:
    """The labs that a chapter shows, in its order."""
    return list(dict.fromkeys(name for cell in chapter.read(source).cells for name in chapter.labs_of(cell)))


def notebook(source: Path) -> nbformat.NotebookNode:
    """A notebook of the chapter's labs alone."""
    found = labs_of(source)
    if not found:
        raise chapter.ChapterError(f"{source.stem} has no lab to present")
    cells = [STYLE, *(f'display(labs.ALL["{name}"]())' for name in found)]
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=chapter.METADATA
    )


def write(source: Path, folder: Path = FOLDER) -> Path:
    path = folder / source.with_suffix(".ipynb").name
    files.replace(path, nbformat.writes(notebook(source)).encode())
    return path


def offline(folder: Path = FOLDER) -> None:
    """Put into ``folder`` a page of Voila's that asks nothing of the network: without a CDN's icons, used by no lab."""
    (lab,) = [path for data in jupyter_path("voila", "templates") if (path := Path(data, "lab")).is_dir()][:1]
    own = folder / "voila/templates/lab"
    shutil.copytree(lab, own, dirs_exist_ok=True)
    page = own / "index.html.j2"
    lines = page.read_text(encoding="utf-8").splitlines()
    files.replace(page, "\n".join(line for line in lines if "cdn.jsdelivr.net" not in line).encode())


class Kernels(servers.Kernels):
    """Where there are too many, a visit ends the oldest one that no page is connected to, rather than be refused.

    Who presses F5 where nothing seems to happen leaves a kernel each time, whose page never came to its end.
    """

    async def start_kernel(self, *, kernel_id: str | None = None, **more: Any) -> str:
        if len(self.starting.union(self.list_kernel_ids())) >= self.most:
            models = [self.kernel_model(one) for one in self.list_kernel_ids() if one not in self.starting]
            left = [model for model in models if not model["connections"]]
            left.sort(key=lambda model: model["execution_state"] != "idle")  # what is at work is ended last
            for model in left[:1]:
                await self.shutdown_kernel(model["id"], now=True)
        return await super().start_kernel(kernel_id=kernel_id, **more)


class Page(TornadoVoilaHandler):
    """The labs: every visit starts a kernel of its own."""

    @authenticated
    async def get(self) -> None:
        if self.get_query_argument("token", ""):  # the cookie has it now, and the audience need not read it
            self.redirect(self.base_url)
            return
        _ = self.xsrf_token  # sets the cookie with which the page, when it closes, ends its kernel
        await super().get()

    def get_template(self, name: str) -> Any:
        """For a refusal, which Voila would look for among its own."""
        return JupyterHandler.get_template(self, name)


def private(handler: type[RequestHandler]) -> type[RequestHandler]:
    """A handler of files, which gives them to nobody without the token."""
    bases = (handler,) if issubclass(handler, JupyterHandler) else (handler, JupyterHandler)
    return type(handler.__name__, bases, {name: authenticated(getattr(handler, name)) for name in ("get", "head")})


class TemplateFiles(TemplateStaticFileHandler):
    """Voila's, for which an address that names no file of a template is an internal error."""

    def parse_url_path(self, path: str) -> str:
        if not re.fullmatch(r"[\w-]+/static/.+", path):
            raise HTTPError(404)
        return str(super().parse_url_path(path))


class Stage(servers.Server):
    """One page, and nothing else."""

    notebook = Unicode(help="Its name in root_dir.")
    default_services = ()  # none of Jupyter's own: no contents, no terminals, no kernels but the page's

    def init_webapp(self) -> None:
        super().init_webapp()
        voila = VoilaConfiguration(
            parent=self, template="lab", theme="light", allow_template_override="NO", allow_theme_override="NO"
        )
        page = {
            "voila_configuration": voila,
            "notebook_path": self.notebook,
            "template_paths": collect_template_paths(["voila", "nbconvert"], "lab", prune=True),
            "config": self.config,
        }
        self.web_app.settings.update(mathjax_url=None, mathjax_config=None)  # its default asks the network
        extensions = get_voila_labextensions_path([])
        themes = {"path": f"{get_data_dir()}/themes", "labextensions_path": extensions, "no_cache_paths": ["/"]}
        themes |= {"themes_url": url_path_join(self.base_url, "/voila/api/themes")}
        own: list[tuple[Any, ...]] = [
            (r"/", Page, page),
            (rf"/api/kernels/{KERNEL}", KernelHandler),
            (rf"/api/kernels/{KERNEL}/channels", VoilaKernelWebsocketHandler),
            (r"/voila/api/shutdown/(.*)", VoilaShutdownKernelHandler),
            (r"/voila/api/themes/(.*)", private(ThemesHandler), themes),
            (r"/voila/templates/(.*)", private(TemplateFiles)),
            (
                r"/voila/static/(.*)",
                private(MultiStaticFileHandler),
                {"paths": collect_static_paths(["voila", "nbconvert"], "lab")},
            ),
            (r"/voila/labextensions/(.*)", private(FileFindHandler), {"path": extensions, "no_cache_paths": ["/"]}),
        ]
        self.web_app.add_handlers(".*$", [(url_path_join(self.base_url, path), *more) for path, *more in own])


def serve(path: Path, arguments: list[str]) -> None:
    """Serve the notebook at ``path`` until Ctrl-C."""
    os.environ["VAECOURSE_PRESENTING"] = "1"  # to the labs in the kernels: no files are read and written here
    settings = servers.settings(most=KERNELS, idle=IDLE, look=LOOK)
    settings.ServerApp.update(port=PORT, root_dir=str(path.parent), open_browser=True, log_level="ERROR")
    settings.ServerApp.update(allow_root=True, answer_yes=True)  # nothing on it needs a root's rights or a question
    settings.ServerApp.kernel_manager_class = Kernels
    settings.ContentsManager.files_handler_class = None
    settings.MappingKernelManager.allowed_message_types = MESSAGES
    Stage.launch_instance(arguments, config=settings, notebook=path.name)


@ending.reports("present")
def main(arguments: list[str] | None = None) -> int:
    ending.refuse_a_shared_home()
    environment.whole_addresses()
    parser = argparse.ArgumentParser(prog="python -m tools.present", description="A chapter's labs, full screen.")
    parser.add_argument("number", metavar="NN", help="the chapter's number, for example 03")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the page is made (default: build/present)")
    options, more = parser.parse_known_args(arguments)
    if numbers := [word for word in more if not word.startswith("-")]:
        raise ending.Refused(f"one chapter at a time: {options.number}, and {', '.join(numbers)} after it")
    (source,) = chapter.sources([options.number])
    folder = options.folder.resolve()
    with made.building(folder) as room:
        path = folder / write(source, room).name
        offline(room)
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(folder), *filter(None, [os.environ.get("JUPYTER_PATH")])])
    print(f"The labs of {source.stem}; end with Ctrl-C", flush=True)
    with made.in_use(f"presenting {source.stem}"):
        serve(path, more)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
