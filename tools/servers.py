"""How a server of the course is started: for this machine, behind a token, with a limit to its kernels.

    python -m tools.lab          JupyterLab on the learner's edition, or on the chapters
    python -m tools.present 03   the labs of a chapter

``Server`` is Jupyter's own, which looks after token, cookies and websockets, with these differences:

- it listens on 127.0.0.1, and has a new token and a new secret for its cookies at every start; a ``JUPYTER_TOKEN`` of
  the user's counts, a token on the command line does not: everybody on the machine can read it there;
- all that it has lies under a secret path. Browsers send a cookie to every port of a name, and so to a server of
  another user of this machine; this cookie goes with the path, which he does not know. A page of the web does not
  either: it cannot even send its reader there;
- whoever comes under another name (a web page can give its own name the address 127.0.0.1), or from a page of another
  server, is turned away before anything is looked up, token or not;
- it keeps so many connections and no more, closes those that ask nothing, and where there is no room for another one
  gives up one that has not yet shown that it knows the path; nothing is kept of what a foreign request sends;
- it starts so many kernels and no more, and ends those that nobody is connected to and that do nothing; what a kernel
  sends over its own ports, to which every user of the machine can connect, is encrypted;
- a kernel starts, and JupyterLab starts one for each notebook that is opened, without a look at the modules beside the
  notebook. They can be imported once a cell runs, and stand in for no other module. It is of this Python, and of what
  the environment says where programs and libraries are, only whole addresses count: others are looked for there, too;
- a kernel is of the Python that the server runs in, whatever else is called python3 where Jupyter looks, and it has no
  debugger: that of ipykernel listens on a port at which any user of the machine can run code;
- it reads no configuration file, so that none can open it by chance. The command line can, one option at a time.

A server that is killed (SIGKILL) cannot end its kernels. They end by themselves: each looks for its parent
once a second.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import secrets
import signal
import threading
import warnings
import weakref
from typing import Any

from jinja2 import Template
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from jupyter_server.services.sessions.handlers import SessionRootHandler
from jupyter_server.utils import url_path_join
from tornado.httputil import HTTPServerRequest, url_concat
from tornado.iostream import IOStream
from tornado.routing import Matcher, PathMatches, Rule
from tornado.web import HTTPError, RequestHandler, authenticated, stream_request_body
from traitlets import Integer, default
from traitlets.config import Config

PULSE = 0.5  # seconds from look to look whether a kernel is alive: its labs say within two that it is not
CONNECTIONS = 256  # at once: a page of JupyterLab has six, and one for each kernel and terminal
LONGEST = 64 * 2**20  # bytes of a body, and they are read before they are refused
PATIENCE = 60  # seconds for the next request on a connection, and for its body

ON_THE_COMMAND_LINE = (
    "A token on the command line can be read by everybody on this machine: "
    "leave it out, or put it into the environment variable JUPYTER_TOKEN."
)
WITHOUT_A_TOKEN = "This server wants a token: without one everybody on this machine could run code as you."
FROM_OUTSIDE = (
    "Listening on %s and not only on 127.0.0.1: every machine that reaches this one finds the server, and whoever has "
    "its token runs code here as you. In a container, publish the port to your own machine alone: "
    "-p 127.0.0.1:%d:%d"
)

# What a kernel does first, with no name in the learner's namespace: the folder goes to the end of the path with the
# first cell that runs, and what Python left out at the start is not left out in the programs that a cell starts.
AT_THE_END = (
    "get_ipython().events.register('pre_execute', "
    "lambda path=__import__('sys').path: '' in path or path.append('')); "
    "__import__('os').environ.pop('PYTHONSAFEPATH', None) and None"
)
# And this before it, while the kernel takes no message yet: it answers none of a debugger's. debugpy listens on a port
# where every user of the machine can run code, and goes on when the debugger is off again; and cells would be written
# to a folder in /tmp whose name is known beforehand.
NO_DEBUGGER = "setattr(__import__('ipykernel.debugger').debugger, '_is_debugpy_available', False); "


def settings(most: int, idle: int, look: int) -> Config:
    """For at most ``most`` kernels. One without a page ends after ``idle`` seconds; ``look`` from check to check."""
    settings = Config()
    settings.ServerApp.ip = "127.0.0.1"
    settings.ServerApp.allow_unauthenticated_access = False
    settings.ServerApp.cookie_secret = secrets.token_bytes(32)
    settings.ServerApp.base_url = f"/{secrets.token_urlsafe(24)}/"
    settings.ServerApp.tornado_settings = {"headers": {"Referrer-Policy": "same-origin"}}
    settings.ServerApp.kernel_manager_class = Kernels
    settings.ServerApp.kernel_spec_manager_class = Specs
    settings.ServerApp.max_body_size = settings.ServerApp.max_buffer_size = LONGEST
    settings.KernelSpecManager.allowed_kernelspecs = {"python3"}
    if os.environ.get(
        "JUPYTER_TOKEN"
    ):  # an address with it is known beforehand: on the next port it is somebody else's
        settings.ServerApp.port_retries = 0
    settings.IdentityProvider.cookie_options = {"samesite": "Lax"}
    settings.Kernels.most = most
    settings.MappingKernelManager.transport_encryption = "auto"  # who listens at a kernel's own ports reads nothing
    settings.MappingKernelManager.cull_idle_timeout = idle
    settings.MappingKernelManager.cull_interval = look
    settings.KernelRestarter.time_to_dead = PULSE
    return settings


class Full(HTTPError):
    """No more kernels. Who asked with a page gets this sentence in a page, who asked with JSON in JSON."""

    def __init__(self, most: int) -> None:
        super().__init__(
            503,
            f"{most} kernels are running, and this server has no more than that: "
            "close a page or shut a kernel down, then try again.",
        )


class Specs(KernelSpecManager):
    """The kernel of this very Python, whatever else has its name where Jupyter looks; and without a debugger's icon."""

    @default("kernel_dirs")
    def _no_other(self) -> list[str]:
        return []

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        spec = super().get_kernel_spec(kernel_name)
        spec.metadata["debugger"] = False
        return spec


class Kernels(AsyncMappingKernelManager):
    """Kernels, and not too many of them. Which of them are culled, and when, is Jupyter's matter."""

    most = Integer(12, config=True, help="How many kernels may run at once.")

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.starting: set[str] = set()

    async def start_kernel(self, *, kernel_id: str | None = None, **more: Any) -> str:
        if kernel_id in self:
            return await super().start_kernel(kernel_id=kernel_id, **more)
        if len(self.starting.union(self.list_kernel_ids())) >= self.most:
            raise Full(self.most)
        kernel_id = kernel_id or self.new_kernel_id(**more)
        more |= self.apart(**more)
        self.starting.add(kernel_id)
        try:
            return await super().start_kernel(kernel_id=kernel_id, **more)
        finally:
            self.starting.discard(kernel_id)

    def apart(
        self,
        kernel_name: str | None = None,
        env: dict[str, str] | None = None,
        extra_arguments: list[str] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """What keeps a kernel from importing what lies in its folder, before a cell runs."""
        own: dict[str, Any] = {"env": {**(os.environ if env is None else env), "PYTHONSAFEPATH": "1"}}
        with contextlib.suppress(NoSuchKernel):  # which is told by whoever starts it
            spec = self.kernel_spec_manager.get_kernel_spec(kernel_name or self.default_kernel_name)
            if any("ipykernel" in word for word in spec.argv):
                words = [
                    "--InteractiveShellApp.ignore_cwd=True",
                    f"--InteractiveShellApp.code_to_run={NO_DEBUGGER}{AT_THE_END}",
                ]
                own["extra_arguments"] = [*(extra_arguments or []), *words]
        return own


class Sessions(SessionRootHandler):
    """Jupyter's, which would turn every refusal into an internal error."""

    @authenticated
    async def post(self) -> None:
        try:
            await super().post()
        except HTTPError as error:
            if isinstance(error.__cause__, Full):
                raise error.__cause__ from None
            raise


class Foreign(Matcher):
    """Requests under a name that is not this machine's, from a page of another server, or without the secret path."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        if not (self.local(request.host_name.strip("[]")) and self.own(request) and self.inside(request)):
            return {}
        if request.path != "/":
            self.server.streams[request.connection.stream] = True
        return None

    def local(self, name: str) -> bool:
        try:
            local = ipaddress.ip_address(name).is_loopback
        except ValueError:
            local = name in self.server.local_hostnames
        return local or self.server.allow_remote_access

    def own(self, request: HTTPServerRequest) -> bool:
        origin = request.headers.get("Origin", request.headers.get("Sec-WebSocket-Origin"))
        allowed = self.server.allow_origin or self.server.allow_origin_pat  # Jupyter looks at them
        return origin is None or bool(allowed) or origin.lower().partition("://")[2] == request.host.lower()

    def inside(self, request: HTTPServerRequest) -> bool:
        return request.path == "/" or request.path.startswith(self.server.base_url)


@stream_request_body
class Refused(RequestHandler):
    """The answer to a foreign request, whatever it asks for, before its body is read; nothing of the body is kept."""

    def data_received(self, chunk: bytes) -> None:
        pass

    def prepare(self) -> None:
        self.set_status(403)
        self.finish("This server answers its own pages on this machine, and this request came from elsewhere.\n")


@stream_request_body
class Door(Refused):
    """``/?token=...``, as somebody types it who chose the token himself and cannot know the path."""

    def initialize(self, server: Server) -> None:
        self.server = server

    def prepare(self) -> None:
        token = self.get_query_argument("token", "")
        if secrets.compare_digest(token.encode(), self.server.identity_provider.token.encode()) and token:
            self.redirect(url_concat(self.server.base_url, {"token": token}))
        else:
            super().prepare()


class Page(Template):
    """A page of Jupyter's own, for example of an error; the token would stand in it for whoever has come in."""

    def render(self, *more: Any, **names: Any) -> str:
        return super().render(*more, **names | {"token": ""})


class Server(ServerApp):
    """See above. Give it ``settings`` as its ``config``."""

    classes = [*ServerApp.classes, Kernels]

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.streams = weakref.WeakKeyDictionary[IOStream, bool]()  # connections: whether one has shown the secret path

    @property
    def config_file_paths(self) -> list[str]:
        return []

    def parse_command_line(self, argv: list[str] | None = None) -> None:
        super().parse_command_line(argv)
        if any("token" in part for name, part in self.cli_config.items() if name.endswith(("App", "IdentityProvider"))):
            raise SystemExit(ON_THE_COMMAND_LINE)

    def init_configurables(self) -> None:
        super().init_configurables()
        if not (self.identity_provider.token or getattr(self.identity_provider, "hashed_password", "")):
            raise SystemExit(WITHOUT_A_TOKEN)

    def init_webapp(self) -> None:
        super().init_webapp()
        self.web_app.settings["jinja2_env"].template_class = Page
        if "sessions" in self.default_services:
            self.web_app.add_handlers(".*$", [(url_path_join(self.base_url, "/api/sessions"), Sessions)])
        first = [Rule(Foreign(self), Refused)]
        if self.base_url != "/":
            first.append(Rule(PathMatches("/"), Door, {"server": self}))
        self.web_app.default_router.rules[:0] = first

    def init_httpserver(self) -> None:
        """What a stranger can hold open is limited: in number, and in time."""
        super().init_httpserver()
        web = self.http_server
        web.conn_params.header_timeout = web.conn_params.body_timeout = PATIENCE
        serve = web.handle_stream

        def admit(stream: IOStream, address: tuple[Any, ...]) -> None:
            streams = [one for one in self.streams if not one.closed()]  # the oldest first
            if len(streams) >= CONNECTIONS:
                next((one for one in streams if not self.streams[one]), stream).close()
            if not stream.closed():
                self.streams[stream] = False
                serve(stream, address)

        web.handle_stream = admit

    def load_server_extensions(self) -> None:
        """What an extension has left open to everybody needs the token here, so the warning about it says too much."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Extension endpoints without")
            super().load_server_extensions()

    def init_signal(self) -> None:
        """Without a terminal Jupyter leaves its kernels behind at a SIGINT."""
        before = signal.getsignal(signal.SIGINT)
        super().init_signal()
        if signal.getsignal(signal.SIGINT) is before:
            signal.signal(signal.SIGINT, self._signal_stop)

    def write_browser_open_files(self) -> None:
        """The browser is sent to a file and not to an address with a token; nobody else may read that file."""
        mask = os.umask(0o077)
        try:
            super().write_browser_open_files()
        finally:
            os.umask(mask)

    def start_ioloop(self) -> None:
        """AnyIO's threads wait for a task that the loop, once stopped, never ends: Python would wait for them."""
        super().start_ioloop()
        for thread in threading.enumerate():
            if thread.name == "AnyIO worker thread":
                thread.stop()

    def start_app(self) -> None:
        if self.allow_remote_access:
            self.log.critical(FROM_OUTSIDE, self.ip or "every address", self.port, self.port)
        super().start_app()
