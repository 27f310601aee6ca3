"""`make lab` and `make present` as somebody else meets them: another user of the machine, or a page of the web.

Both servers run with a user's configuration that would open everything, and with short times for idle kernels.
"""

import contextlib
import http.client
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
import zmq
from websocket import WebSocketBadStatusException, WebSocketTimeoutException, create_connection

from tools import browser, ending, environment, lab, made, present, servers

ROOT = Path(__file__).parents[2]
OPEN = """
c.ServerApp.ip = "0.0.0.0"
c.ServerApp.token = c.IdentityProvider.token = c.PasswordIdentityProvider.token = ""
c.ServerApp.password = c.PasswordIdentityProvider.hashed_password = ""
c.ServerApp.allow_origin = "*"
c.ServerApp.allow_remote_access = c.ServerApp.allow_unauthenticated_access = c.ServerApp.disable_check_xsrf = True
c.ServerApp.jpserver_extensions = {"voila.server_extension": True, "jupyterlab_jupytext": True}
c.ServerApp.contents_manager_class = "jupytext.TextFileContentsManager"
c.ServerApp.root_dir = "/"
c.ServerApp.use_redirect_file = False
c.MappingKernelManager.cull_idle_timeout = 0
c.Kernels.most = 1000
c.LabApp.open_browser = True
"""
FILES = ("jupyter_config", "jupyter_server_config", "jupyter_lab_config", "jupyter_notebook_config", "voila")
PRESENT = (
    "import sys; from pathlib import Path; from tools import present; present.serve(Path(sys.argv[1]), sys.argv[2:])"
)
IDLE = ["--MappingKernelManager.cull_idle_timeout=5", "--MappingKernelManager.cull_interval=1"]
CODE = "import os\nprint('presenting:', os.environ.get('VAECOURSE_PRESENTING'))"
EVIL = "evil.example"


@dataclass
class Running:
    """A server, what it told its user, and the browser that it opened."""

    process: subprocess.Popen
    home: Path
    port: int
    token: str
    base: str  # the secret path, without the slash at its end
    folder: Path

    def ask(self, method, path, *, token=True, host="", origin="", body=None, base=None):
        """Status, headers and text of an answer; ``host`` alone, and the port is added."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=browser.SECONDS)
        connection.putrequest(method, (self.base if base is None else base) + path, skip_host=True)
        headers = {"Host": f"{host or '127.0.0.1'}:{self.port}", "Content-Type": "application/json"}
        headers |= {"Origin": origin} if origin else {}
        headers |= {"Authorization": f"token {self.token}"} if token else {}
        data = json.dumps(body).encode() if body is not None else b""
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            connection.putheader(name, value)
        connection.endheaders(data)
        with contextlib.closing(connection):
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode(errors="replace")

    def start(self):
        """A kernel, by its id."""
        status, _, text = self.ask("POST", "/api/kernels", body={"name": "python3"})
        assert status == 201, text
        return json.loads(text)["id"]

    def page(self):
        """The page of ``make present``, and its kernel."""
        status, _, text = self.ask("GET", "/")
        assert status == 200, text
        return text, re.search(r'"kernelId": "([\w-]+)"', text)[1]

    def runs(self, kernel):
        return self.ask("GET", f"/api/kernels/{kernel}")[0] == 200

    def connect(self, kernel, *, token=True, host="", origin=None, path="/api/kernels/{}/channels", base=None):
        """A websocket to a kernel."""
        words = [f"Authorization: token {self.token}"] if token else []
        return create_connection(
            f"ws://127.0.0.1:{self.port}{self.base if base is None else base}{path.format(kernel)}",
            timeout=browser.SECONDS,
            header=words,
            host=f"{host or '127.0.0.1'}:{self.port}",
            origin=origin,
            suppress_origin=origin is None,
        )

    def kernels(self):
        """The processes of its kernels."""
        return {
            child.pid
            for child in psutil.Process(self.process.pid).children()
            if "ipykernel_launcher" in child.cmdline()
        }

    def log(self):
        return (self.home / "log").read_text()


@contextlib.contextmanager
def running(home, command, folder, port, **environment):
    """A server with a user's careless configuration, and a browser that writes down what it is asked to open."""
    config = home / "config"
    config.mkdir()
    for name in FILES:
        (config / f"{name}.py").write_text(OPEN)
    (config / "jupyter_server_config.json").write_text('{"ServerApp": {"token": "", "allow_origin": "*"}}')
    opener = home / "browser"
    opener.write_text(f'#!/bin/sh\necho "$@" > {home}/opened.part && mv {home}/opened.part {home}/opened\n')
    opener.chmod(0o755)
    own = {f"JUPYTER_{name}_DIR": f"{home}/{name.lower()}" for name in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"BROWSER": f"{opener} %s", "JUPYTER_TOKEN": "", "IPYTHONDIR": f"{home}/ipython"} | environment
    with open(home / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=ROOT, env=os.environ | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        told = home / f"runtime/jpserver-{process.pid}.json"
        wait(lambda: process.poll() is not None or (told.exists() and told.read_text().endswith("}")))
        assert process.poll() is None, (home / "log").read_text()[-3000:]
        told = json.loads(told.read_text())
        server = Running(process, home, port, told["token"], told["base_url"].rstrip("/"), folder)
        wait(lambda: answers(server))
        yield server
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(server):
    with contextlib.suppress(OSError):
        return server.ask("GET", "/login", token=False)[0]


def wait(until):
    end = time.monotonic() + browser.SECONDS
    while not until():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)


def ran(pid):
    """Whether a process is still there."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def folder_of(home, name="01-pair.ipynb"):
    """A notebook and its .py, which Jupytext would write again when the notebook is saved."""
    folder = home / "folder"
    folder.mkdir()
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CODE)], metadata=kernel)
    nbformat.write(notebook, folder / name)
    (folder / name).with_suffix(".py").write_text(f"# %%\n{CODE}\n")
    (folder / "jupytext.toml").write_text('formats = "ipynb,py:percent"\n')
    (folder / "picture.png").write_bytes(b"not for strangers")
    return folder / name


def lab_command(notebook, port, *more):
    return ["-m", "tools.lab", "--allow-root", f"--port={port}", "--ServerApp.port_retries=0", *more, str(notebook)]


def present_command(notebook, port, *more):
    return ["-c", PRESENT, str(notebook), f"--port={port}", "--ServerApp.port_retries=0", *more]


@pytest.fixture(scope="module", params=["lab", "present"])
def server(request, tmp_path_factory):
    home = tmp_path_factory.mktemp(request.param)
    notebook, port = folder_of(home), browser.free_port()
    command = {"lab": lab_command, "present": present_command}[request.param]
    with running(home, command(notebook, port, "--Kernels.most=3", *IDLE), notebook.parent, port) as started:
        started.name = request.param
        yield started


@pytest.fixture(scope="module")
def kernel(server):
    """A kernel with its user connected, for as long as the server runs."""
    found = server.start() if server.name == "lab" else server.page()[1]
    connection = server.connect(found)
    yield found
    connection.close()


PATHS = [  # where a stranger may try, and what an answer without a token is: the login page, or no
    ("GET", "/", 302),
    ("GET", "/lab", 302),
    ("GET", "/lab/tree/01-pair.ipynb", 302),
    ("GET", "/files/01-pair.ipynb", 302),
    ("GET", "/files/picture.png", 302),
    ("GET", "/static/01-pair.ipynb", 404),
    ("GET", "/nbconvert/html/01-pair.ipynb", 302),
    ("GET", "/voila", 302),
    ("GET", "/voila/tree", 302),
    ("GET", "/voila/render/01-pair.ipynb", 302),
    ("GET", "/voila/files/picture.png", 302),
    ("GET", "/voila/static/voila.js", 302),
    ("GET", "/voila/static/01-pair.ipynb", 302),
    ("GET", "/voila/templates/lab/static/voila.js", 302),
    ("GET", "/metrics", 403),
]
CALLS = [
    ("GET", "/api/kernels"),
    ("POST", "/api/kernels"),
    ("GET", "/api/kernels/{kernel}"),
    ("DELETE", "/api/kernels/{kernel}"),
    ("POST", "/api/kernels/{kernel}/interrupt"),
    ("POST", "/api/sessions"),
    ("GET", "/api/contents"),
    ("PUT", "/api/contents/new.txt"),
    ("POST", "/api/terminals"),
    ("POST", "/api/shutdown"),
    ("POST", "/voila/api/shutdown/{kernel}"),
]


def test_without_the_token_there_is_the_login_page_or_nothing(server, kernel):
    before = server.kernels()
    for method, path, wanted in PATHS:
        status, headers, _ = server.ask(method, path, token=False)
        if path == "/" and server.name == "lab":
            assert headers["Location"].startswith(f"{server.base}/lab"), (
                "JupyterLab sends / to its own page, which is private"
            )
            continue
        assert status == wanted, f"{method} {path}"
        assert status != 302 or headers["Location"].startswith(f"{server.base}/login"), f"{method} {path}"
    for method, path in CALLS:
        status, headers, _ = server.ask(method, path.format(kernel=kernel), token=False, body={"name": "python3"})
        login = status == 302 and headers["Location"].startswith(f"{server.base}/login")
        assert status == 403 or login, f"{method} {path}: {status}"
    assert server.kernels() == before and server.runs(kernel)


def test_a_foreign_name_is_refused_even_with_the_token(server, kernel):
    """A page of the web can give its own name this machine's address: the browser then sends its Host."""
    before = server.kernels()
    everything = [(method, path) for method, path, _ in PATHS] + CALLS + [("GET", "/login"), ("GET", "/favicon.ico")]
    for method, path in everything:
        for token in (True, False):
            for names in ({"host": EVIL}, {"host": "192.0.2.1"}, {"origin": f"http://{EVIL}"}, {"origin": "null"}):
                status, *_ = server.ask(method, path.format(kernel=kernel), token=token, body={}, **names)
                assert status == 403, f"{method} {path} {names}"
    assert server.kernels() == before and server.runs(kernel)


def test_without_the_secret_path_there_is_nothing_even_with_the_token(server, kernel):
    """A browser sends the cookie to every port of 127.0.0.1, so another user can have one: not the path, though."""
    before = server.kernels()
    for method, path in (
        [(method, path) for method, path, _ in PATHS] + CALLS + [("GET", "/login"), ("GET", "/static/")]
    ):
        for base in ("", "/wrong", server.base[:-1]):
            status, headers, _ = server.ask(method, path.format(kernel=kernel), base=base, body={})
            assert status == 403 and "Set-Cookie" not in headers, f"{method} {base}{path}"
    with pytest.raises(WebSocketBadStatusException) as refused:
        server.connect(kernel, base="")
    assert refused.value.status_code == 403
    assert server.kernels() == before and server.runs(kernel)


def test_who_chose_the_token_comes_in_without_the_path(server):
    """As from outside a container: JUPYTER_TOKEN=... is known there, and the path is not."""
    status, headers, _ = server.ask("GET", f"/?token={server.token}", base="", token=False)
    assert status == 302 and headers["Location"] == f"{server.base}/?token={server.token}"
    for wrong in ("", "?token=", "?token=wrong", f"?token={server.token[:-1]}", "?token=%FF"):
        assert server.ask("GET", f"/{wrong}", base="", token=False)[0] in (400, 403), wrong
    assert server.ask("GET", f"/?token={server.token}", base="", token=False, origin=f"http://{EVIL}")[0] == 403


def test_a_cookie_goes_with_the_path_and_no_address_is_told_to_others(server):
    _, headers, _ = server.ask("GET", {"lab": "/lab", "present": f"/?token={server.token}"}[server.name])
    cookies = headers.get_all("Set-Cookie")
    assert cookies and all(f"Path={server.base}/;" in f"{cookie};" for cookie in cookies)
    assert headers["Referrer-Policy"] == "same-origin"
    assert len(server.base) == 33


def test_connections_that_ask_nothing_are_few_and_leave_the_log_alone(server):
    before = len(server.log())
    with contextlib.ExitStack() as idle:
        held = [
            idle.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=browser.SECONDS))
            for _ in range(servers.CONNECTIONS + 200)
        ]
        wait(lambda: sum(closed(one) for one in held) >= 200)
        assert psutil.Process(server.process.pid).num_fds() < servers.CONNECTIONS + 200
    wait(lambda: answers(server))
    assert "Traceback" not in server.log()[before:] and len(server.log()) - before < 5000


def test_another_user_who_holds_all_connections_does_not_lock_the_owner_out(server):
    half = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with contextlib.ExitStack() as idle:
        for _ in range(servers.CONNECTIONS + 20):
            held = idle.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=browser.SECONDS))
            held.sendall(half)
        assert all(answers(server) for _ in range(5))


def test_nothing_is_kept_of_what_a_stranger_sends(server):
    """A body is read before it is refused, if Tornado has its way: 64 MB of each connection."""
    size, piece = 60 * 2**20, bytes(2**20)
    before = psutil.Process(server.process.pid).memory_info().rss
    head = f"PUT /api/contents/a HTTP/1.1\r\nHost: {EVIL}\r\nContent-Length: {size}\r\n\r\n".encode()
    with contextlib.ExitStack() as idle:
        for _ in range(6):
            held = idle.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=browser.SECONDS))
            held.sendall(head)
            with contextlib.suppress(ConnectionError):
                for _ in range(50):
                    held.sendall(piece)
        assert answers(server)
        assert psutil.Process(server.process.pid).memory_info().rss - before < size


def closed(connection):
    """Whether the other side has closed a connection that has sent nothing."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@pytest.mark.parametrize(
    "stranger",
    [
        {"token": False},
        {"token": False, "origin": "own"},
        {"token": False, "origin": f"http://{EVIL}"},
        {"token": False, "host": EVIL},
        {"token": False, "host": EVIL, "origin": "own"},
        {"origin": f"http://{EVIL}"},
        {"origin": "null"},
        {"host": EVIL},
        {"host": EVIL, "origin": "own"},
    ],
    ids=str,
)
def test_no_stranger_opens_the_websocket_of_a_kernel_that_he_knows(server, kernel, stranger):
    if stranger.get("origin") == "own":
        stranger = stranger | {"origin": f"http://{stranger.get('host', '127.0.0.1')}:{server.port}"}
    with pytest.raises(WebSocketBadStatusException) as refused:
        server.connect(kernel, **stranger)
    assert refused.value.status_code == 403


def test_a_terminal_is_no_way_in(server):
    status, _, text = server.ask("POST", "/api/terminals", body={})
    assert status == (200 if server.name == "lab" else 404)
    if server.name == "lab":
        path = f"/terminals/websocket/{json.loads(text)['name']}"
        server.connect("", path=path).close()
        with pytest.raises(WebSocketBadStatusException) as refused:
            server.connect("", token=False, path=path)
        assert refused.value.status_code == 403


def test_with_the_token_everything_works(server, kernel):
    origin = f"http://127.0.0.1:{server.port}"
    server.connect(kernel, origin=origin).close()
    if server.name == "lab":
        assert server.ask("GET", "/lab", origin=origin)[0] == 200
        assert kernel in server.ask("GET", "/api/kernels", host="localhost")[2]
    else:
        text, other = server.page()
        assert "presenting: 1" in text and other != kernel
        assert server.ask("POST", f"/voila/api/shutdown/{other}")[0] == 204, "as a page does that is closed"
        assert not server.runs(other)


def test_nothing_is_served_but_the_courses(server):
    served = {"lab": [], "present": ["/", "/voila/static/voila.js", "/voila/templates/lab/static/voila.js"]}[
        server.name
    ]
    never = ["/voila", "/voila/tree", "/voila/render/01-pair.ipynb", "/voila/files/picture.png", "/lsp/status"]
    if server.name == "present":
        never += [
            "/files/01-pair.ipynb",
            "/files/picture.png",
            "/api/contents",
            "/api/kernels",
            "/api/sessions",
            "/tree",
        ]
        never += ["/01-pair.ipynb", "/picture.png", "/voila/static/01-pair.ipynb", "/nbconvert/html/01-pair.ipynb"]
    for path in served[1:]:
        assert server.ask("GET", path)[0] == 200, path
        never += ["/voila/templates/", "/voila/templates/x", "/voila/templates/lab/../x", "/voila/templates/lab/y/z"]
    for path in never:
        assert server.ask("GET", path)[0] in (403, 404), path


def test_the_page_of_present_runs_no_code(server, kernel):
    """What a widget needs passes; an execute_request does not reach the kernel."""
    if server.name == "lab":
        pytest.skip("JupyterLab runs code")
    made = server.folder / "made by a page"
    connection = server.connect(kernel)
    connection.send(message("execute_request", code=f"open({str(made)!r}, 'w')", silent=True))
    connection.send(message("kernel_info_request"))
    answer = ""
    while "kernel_info_reply" not in answer:
        answer = connection.recv()
    connection.close()
    assert not made.exists()


def test_the_address_bar_does_not_keep_the_token(server):
    """The audience reads the projector."""
    if server.name == "lab":
        pytest.skip("JupyterLab's own matter")
    status, headers, _ = server.ask("GET", f"/?token={server.token}", token=False)
    assert status == 302 and headers["Location"] == f"{server.base}/"
    assert "HttpOnly" in headers["Set-Cookie"] and "SameSite=Lax" in headers["Set-Cookie"]


def test_saving_a_notebook_leaves_its_py_alone(server):
    if server.name == "present":
        pytest.skip("it saves nothing")
    notebook = server.folder / "01-pair.ipynb"
    before = notebook.with_suffix(".py").read_text()
    content = json.loads(notebook.read_text())
    content["cells"][0]["source"] = "print('an answer')"
    body = {"type": "notebook", "content": content}
    assert server.ask("PUT", "/api/contents/01-pair.ipynb", body=body)[0] == 200
    assert "an answer" in notebook.read_text() and notebook.with_suffix(".py").read_text() == before


def test_a_notebook_with_long_outputs_is_saved(server):
    """Where the server cuts it off, the page only says that nobody answers, and what is typed is saved no more."""
    if server.name == "present":
        pytest.skip("it saves nothing")
    output = {"output_type": "stream", "name": "stdout", "text": "x" * 70 * 2**20}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "typed", "execution_count": 1}
    content = {"cells": [cell | {"outputs": [output]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": content}
    assert server.ask("PUT", "/api/contents/long.ipynb", body=body)[0] in (200, 201)
    saved = server.folder / "long.ipynb"
    assert saved.stat().st_size > 70 * 2**20
    saved.unlink()


def test_only_this_machine_can_connect(server, kernel):
    family = [psutil.Process(server.process.pid), *psutil.Process(server.process.pid).children(recursive=True)]
    listening = []
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            listening += [it.laddr.ip for it in one.net_connections("all") if it.status == psutil.CONN_LISTEN]
    assert len(listening) > 1 and set(listening) == {"127.0.0.1"}


def test_a_kernels_own_ports_tell_a_stranger_nothing(server, kernel):
    """A kernel publishes what it computes on a port of the machine, to which every user of it can connect."""
    ports = {
        it.laddr.port
        for pid in server.kernels()
        for it in psutil.Process(pid).net_connections("tcp")
        if it.status == psutil.CONN_LISTEN
    }
    with zmq.Context() as context, context.socket(zmq.SUB) as stranger:
        stranger.linger = 0
        stranger.subscribe(b"")
        for port in ports:
            stranger.connect(f"tcp://127.0.0.1:{port}")
        time.sleep(1)  # what connecting takes, if it succeeds
        with contextlib.closing(server.connect(kernel)) as connection:
            connection.send(message("kernel_info_request"))
            answer = ""
            while "kernel_info_reply" not in answer:
                answer = connection.recv()
        assert len(ports) > 3 and not stranger.poll(1000)


def test_the_token_stands_where_only_its_user_reads_it(server, kernel):
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            assert not any(server.token in word for word in process.cmdline())
    wait((server.home / "opened").exists)
    opened = (server.home / "opened").read_text().strip()
    assert server.token not in opened, "a browser's command line"
    assert server.token in Path(opened.removeprefix("file://")).read_text()
    files = [path for path in (server.home / "runtime").iterdir() if server.token.encode() in path.read_bytes()]
    assert files and all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in files)
    assert len(server.token) == 48


def test_no_more_kernels_than_the_limit_and_a_sentence_for_the_next(server, kernel):
    with contextlib.ExitStack() as connected:
        more = [server.start() if server.name == "lab" else server.page()[1] for _ in range(2)]
        for one in more:
            connected.enter_context(contextlib.closing(server.connect(one)))
        calls = [("GET", "/", None)]
        if server.name == "lab":
            calls = [("POST", "/api/kernels", {"name": "python3"})]
            calls += [("POST", "/api/sessions", {"path": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}})]
        for method, path, body in calls:
            status, _, text = server.ask(method, path, body=body)
            assert status == 503 and "3 kernels are running, and this server has no more than that" in text
            assert "Traceback" not in text
        assert len(server.kernels()) == 3
        for one in more:
            server.ask("DELETE", f"/api/kernels/{one}")


def test_a_page_that_is_asked_for_again_and_again_is_shown(tmp_path):
    """Somebody who presents presses F5 where nothing seems to happen: each time a kernel is left that nobody has."""
    notebook, port = folder_of(tmp_path), browser.free_port()
    command = present_command(notebook, port, "--no-browser", "--Kernels.most=2")
    with running(tmp_path, command, notebook.parent, port) as server:
        server.name = "present"
        _, mine = server.page()
        with contextlib.closing(server.connect(mine)):
            for _ in range(3):
                server.page()
                assert len(server.kernels()) <= 2 and server.runs(mine)


def test_a_kernel_that_nobody_needs_ends_and_no_other(server, kernel, tmp_path):
    """One is connected to, one is busy, and one is neither."""
    if server.name == "present":
        _, idle = server.page()
        wait(lambda: not server.runs(idle))
        assert server.runs(kernel)
        return
    done = tmp_path / "done"
    busy, idle = server.start(), server.start()
    with contextlib.closing(server.connect(busy)) as connection:
        code = f"import os, time\nwhile not os.path.exists({str(done)!r}): time.sleep(.1)"
        connection.send(message("execute_request", code=code, silent=False, store_history=False))
        wait(lambda: json.loads(server.ask("GET", f"/api/kernels/{busy}")[2])["execution_state"] == "busy")
    wait(lambda: not server.runs(idle))
    assert server.runs(busy) and server.runs(kernel)
    done.touch()
    wait(lambda: not server.runs(busy))
    assert server.runs(kernel)


def message(kind, **content):
    header = {"msg_id": kind, "msg_type": kind, "username": "", "session": "s", "version": "5.3"}
    return json.dumps(
        {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []}
    )


@pytest.mark.parametrize(
    ("command", "end", "more"),
    [
        (lab_command, signal.SIGINT, []),
        (lab_command, signal.SIGTERM, ["--ip=0.0.0.0"]),
        (present_command, signal.SIGINT, []),
        (present_command, signal.SIGTERM, []),
        (present_command, signal.SIGKILL, []),
    ],
    ids=["lab-INT", "lab-TERM", "present-INT", "present-TERM", "present-KILL"],
)
def test_however_a_server_ends_its_kernels_do(command, end, more, tmp_path):
    """And a token of the user's own counts, and to listen on more than this machine is told."""
    notebook, port = folder_of(tmp_path), browser.free_port()
    command = command(notebook, port, "--no-browser", *more)
    with running(tmp_path, command, notebook.parent, port, JUPYTER_TOKEN="mine") as server:
        assert server.token == "mine" and server.ask("GET", "/api/kernels", token=False)[0] in (302, 403)
        server.page() if command[0] == "-c" else server.connect(server.start()).close()  # which waits for it
        (kernel,) = server.kernels()
        assert ran(kernel)
        server.process.send_signal(end)
        server.process.wait(timeout=browser.SECONDS)
        wait(lambda: not ran(kernel))
        assert ("-p 127.0.0.1:" in server.log()) == bool(more)


def test_clean_is_told_of_a_running_lab(server):
    """It would remove the JupyterLab in which somebody types. ``present`` here is started without its main."""
    if server.name == "lab":
        assert any(f"process {server.process.pid} on" in use and "JupyterLab since" in use for use in made.uses(ROOT))


@pytest.mark.parametrize("word", ["--IdentityProvider.token=known", "--IdentityProvider.token=", "--ServerApp.token=x"])
def test_a_token_on_the_command_line_is_refused(word, tmp_path):
    command = [sys.executable, *lab_command(folder_of(tmp_path), browser.free_port(), "--no-browser", word)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=browser.SECONDS)
    assert ended.returncode == 1 and servers.ON_THE_COMMAND_LINE in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_lab_needs_nothing_but_the_lab():
    """`make lab` installs the extra `lab` alone."""
    missing = ["jupytext", "voila", "playwright", "nbval", "nbclient", "sphinx"]
    code = f"import sys; sys.modules.update(dict.fromkeys({missing})); from tools import lab"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=browser.SECONDS)
    assert (ROOT / "chapters" / lab.START.name).is_file()  # of which the edition is made at the start


def test_what_the_servers_are_started_with():
    assert lab.KERNELS == 12 and present.KERNELS == 6
    assert present.IDLE <= 300 < 3600 <= lab.IDLE
    for one in (servers.settings(1, 2, 3), servers.settings(1, 2, 3)):
        assert one.ServerApp.ip == "127.0.0.1"
        assert len(one.ServerApp.base_url) == 34
    assert servers.settings(1, 2, 3).ServerApp.base_url != one.ServerApp.base_url
    assert servers.settings(1, 2, 3).ServerApp.cookie_secret != one.ServerApp.cookie_secret


def test_a_strangers_notebook_opens_without_the_widgets_saved_in_it(server):
    """JupyterLab would run their JavaScript as soon as the notebook is open, trusted or not."""
    if server.name == "present":
        pytest.skip("it opens no notebook")
    notebook = {
        "cells": [],
        "metadata": {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {"_esm": "fetch()"}}}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (server.folder / "stranger.ipynb").write_text(json.dumps(notebook))
    status, _, text = server.ask("GET", "/api/contents/stranger.ipynb?content=1")
    assert status == 200 and json.loads(text)["content"]["metadata"] == {} and "_esm" not in text
    assert server.ask("GET", "/api/contents/stranger.ipynb?content=0")[0] == 200


def test_opening_a_notebook_imports_nothing_that_lies_beside_it(server):
    """JupyterLab starts a kernel for it, in its folder. A module there is for the cells, and hides no other."""
    if server.name == "present":
        pytest.skip("it opens no notebook")
    folder, ran = server.folder / "strange", server.folder / "strange/ran"
    folder.mkdir()
    never = ["ipykernel_launcher", "ipykernel", "IPython", "jedi", "storemagic", "usercustomize", "yaml", "colorsys"]
    for name in never:
        (folder / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('{name} ')")
    (folder / "mine.py").write_text("value = 'from my own module'")
    (folder / "program.py").write_text("import mine\nprint(mine.value)")
    body = {"path": "strange/a.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    status, _, text = server.ask("POST", "/api/sessions", body=body)
    assert status == 201, text
    kernel = json.loads(text)["kernel"]["id"]
    try:
        opened = [message("kernel_info_request"), message("complete_request", code="imp", cursor_pos=3)]
        said(server, kernel, *opened, message("inspect_request", code="print", cursor_pos=3, detail_level=0))
        assert not ran.exists(), ran.read_text()
        for _ in range(2):  # the second after a restart, which starts it by the same words
            code = (
                "import sys, colorsys, yaml, mine; from subprocess import run; print(mine.value, sys.path[-1] == '')\n"
            )
            code += "print(run([sys.executable, 'program.py'], capture_output=True, text=True).stdout, dir())"
            told = said(server, kernel, message("execute_request", code=code, silent=False, store_history=False))
            assert "from my own module True" in told and "Traceback" not in told and not ran.exists(), told
            assert told.count("from my own module") == 2, "a program that a cell starts"
            assert server.ask("POST", f"/api/kernels/{kernel}/restart", body={})[0] == 200
    finally:
        server.ask("DELETE", f"/api/kernels/{kernel}")


def debug(sequence, command, **arguments):
    """A message of JupyterLab's debugger."""
    one = message("debug_request", type="request", seq=sequence, command=command, arguments=arguments)
    return one.replace('"channel": "shell"', '"channel": "control"')


def test_no_debugger_listens_or_writes_cells_where_others_can(server, kernel):
    """That of ipykernel does: on a port of every user's, after it is off as well, and in /tmp/ipykernel_PID."""
    if server.name == "present":
        pytest.skip("it starts its kernels by the same words, and its page is sent no message of this kind")
    _, _, specs = server.ask("GET", "/api/kernelspecs")
    (one,) = json.loads(specs)["kernelspecs"].values()
    assert one["spec"]["metadata"]["debugger"] is False  # so JupyterLab shows no bug
    started = server.start()
    (pid,) = (pid for pid in server.kernels() if any(started in word for word in psutil.Process(pid).cmdline()))
    folder = Path(tempfile.gettempdir(), f"ipykernel_{pid}")
    family = lambda: [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    listening = lambda: [len(one.net_connections("tcp")) for one in family()]
    try:
        for _ in range(2):  # the second after a restart, and its code runs
            told = said(server, started, message("kernel_info_request"))
            assert '"supported_features"' in told and '"debugger"' not in told
            before, adapter = listening(), debug(2, "initialize", clientID="vscode", adapterID="")
            told = said(server, started, debug(1, "debugInfo"), adapter, debug(3, "attach"))
            said(server, started, debug(4, "dumpCell", code="1 + 1"))
            assert '"success": true' not in told and listening() == before and not folder.exists()
            told = said(server, started, message("execute_request", code="print('ran', 6 * 7)", silent=False))
            assert "ran 42" in told, told
            assert server.ask("POST", f"/api/kernels/{started}/restart", body={})[0] == 200
            (pid,) = (pid for pid in server.kernels() if any(started in word for word in psutil.Process(pid).cmdline()))
    finally:
        server.ask("DELETE", f"/api/kernels/{started}")
        shutil.rmtree(folder, ignore_errors=True)


def test_the_kernel_is_of_this_python_whatever_has_its_name(tmp_path, monkeypatch):
    """A folder of kernels that JUPYTER_PATH names, or the user's own, can hold another program of the name."""
    from jupyter_client.kernelspec import KernelSpecManager

    for name in ("JUPYTER_PATH", "JUPYTER_DATA_DIR"):
        place = tmp_path / name / "kernels/python3"
        place.mkdir(parents=True)
        (place / "kernel.json").write_text('{"argv": ["/bin/sh"], "display_name": "Python 3", "language": "python"}')
        monkeypatch.setenv(name, str(tmp_path / name))
    assert KernelSpecManager().get_kernel_spec("python3").argv == ["/bin/sh"], "that is what Jupyter does"
    specs = servers.Specs(config=servers.settings(1, 1, 1))
    assert specs.get_kernel_spec("python3").argv[0] == sys.executable
    (one,) = specs.get_all_specs().values()
    assert one["spec"]["argv"][0] == sys.executable


@pytest.mark.skipif(os.name != "posix", reason="rights")
@pytest.mark.parametrize("name", [*environment.JUPYTERS, *environment.LABS])
def test_no_folder_of_jupyters_in_which_others_can_write_is_used(name, tmp_path, monkeypatch):
    own, shared = tmp_path / "own", tmp_path / "shared"
    own.mkdir(mode=0o700)
    shared.mkdir()
    monkeypatch.setenv(name, str(own))
    environment.whole_addresses()
    assert os.environ[name] == str(own)
    shared.chmod(0o1777)
    for place in (shared, shared / "new"):
        monkeypatch.setenv(name, f"{own}{os.pathsep}{place}" if name in environment.JUPYTERS else str(place))
        with pytest.raises(ending.Refused, match=f"and what lies there would run as you: leave it out of {name}"):
            environment.whole_addresses()
    monkeypatch.setenv(name, "relative")
    monkeypatch.chdir(own)
    monkeypatch.setattr(ending, "not_ours_alone", lambda path: None)
    environment.whole_addresses()
    assert os.environ.get(name) == (None if name in environment.JUPYTERS else str(own / "relative"))


def test_every_path_variable_of_jupyters_is_known():
    """Of the versions that are installed: one that is new must be looked at."""
    known = {*environment.SEARCHED, *environment.FOLDERS, "JUPYTER_PREFER_ENV_PATH", "JUPYTERLAB_GALATA_ROOT_DIR"}
    found = set()
    for package in ("jupyter_core", "jupyter_client", "jupyter_server", "jupyterlab", "jupyterlab_server", "IPython"):
        folder = Path(importlib.util.find_spec(package).origin).parent
        for path in folder.rglob("*.py"):
            if "tests" not in path.parts:
                found.update(re.findall(r"""["'](JUPYTER\w*|IPYTHON\w*)["']""", path.read_text(errors="replace")))
    ends = ("DIR", "DIRS", "PATH", "PATHS", "FILE", "HOME")
    paths = {name for name in found if name.endswith(ends)}
    assert paths - known - {"JUPYTER_PLATFORM_DIRS"} == set() and {"JUPYTER_PATH", "JUPYTERLAB_DIR"} <= paths


def test_the_server_itself_looks_for_modules_in_no_folder_that_it_shows(tmp_path):
    (tmp_path / "torch.py").touch()
    code = f"import sys; from tools import lab; print({str(tmp_path)!r} in sys.path or '' in sys.path[1:])"
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout == "False\n"


def said(server, kernel, *messages):
    """All that a kernel says until it has answered the last message."""
    told = ""
    with contextlib.closing(server.connect(kernel)) as connection:
        for one in messages:
            answer, wanted = "", json.loads(one)["header"]["msg_type"].replace("request", "reply")
            connection.send(one)
            while f'"msg_type": "{wanted}"' not in answer:
                told += (answer := str(connection.recv()))
        connection.settimeout(2)
        with contextlib.suppress(WebSocketTimeoutException):
            while True:
                told += str(connection.recv())
    return told


def test_the_page_of_the_lab_has_no_token_and_loads_from_its_own_server_alone(server):
    if server.name == "present":
        pytest.skip("it has no such page")
    for path in ("/lab", "/lab/tree/not-there.ipynb", "/doc", "/nowhere"):
        _, headers, text = server.ask("GET", path)
        assert server.token not in text, path
        off = text.partition('"disabledExtensions": [')[2].partition("]")[0]
        assert path == "/nowhere" or ('"token": ""' in text and "@jupyterlab/vega5-extension" in off), path
        policy = " ".join(headers.get_all("Content-Security-Policy"))
        if path == "/nowhere":  # not a page of JupyterLab's
            assert "sandbox; default-src 'none';" in policy
            continue
        assert "default-src 'self';" in policy and "img-src 'self' data: blob:;" in policy, path
        assert f"connect-src 'self' data: blob: ws://127.0.0.1:{server.port} " in policy, path
        assert not re.search(r"https?:|\*", policy), path


def test_no_more_is_read_than_a_notebook_may_have(server):
    """It is read before the token is looked at, so anybody could fill the memory: refused as soon as it is told."""
    most = lab.LONGEST if server.name == "lab" else servers.LONGEST
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=servers.PATIENCE / 3)
    with contextlib.closing(connection):
        connection.putrequest("POST", f"{server.base}/login")
        connection.putheader("Content-Length", str(most + 1))
        connection.endheaders(b"x")
        try:
            assert connection.getresponse().status in (400, 413)
        except (http.client.RemoteDisconnected, ConnectionError):
            pass


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give a folder away")
@pytest.mark.parametrize("words", [["tools.lab", "--no-browser"], ["tools.present", "03", "--no-browser"]])
def test_nothing_starts_in_a_home_of_somebody_elses(tmp_path, words):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JUPYTER", "IPYTHON", "XDG"))}
    command = [sys.executable, "-m", *words]
    ended = subprocess.run(command, cwd=ROOT, env=own | {"HOME": str(home)}, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1 and "and what lies there would run as you" in ended.stderr, ended.stderr
    assert "Traceback" not in ended.stderr


def test_nothing_is_looked_for_in_the_folder_of_a_notebook(monkeypatch):
    """An empty part of these lists, as ``export LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/opt/lib`` makes, is that folder."""
    before = {
        "PATH": ":/usr/bin:bin",
        "PYTHONPATH": ":/opt/ros",
        "LD_LIBRARY_PATH": ":",
        "LD_PRELOAD": "libjemalloc.so",
    }
    for name, value in (before | {"IPYTHONDIR": ".ipy", "JUPYTER_DATA_DIR": "/data"}).items():
        monkeypatch.setenv(name, value)
    environment.whole_addresses()
    assert (os.environ["PATH"], os.environ["PYTHONPATH"]) == ("/usr/bin", "/opt/ros")
    assert "LD_LIBRARY_PATH" not in os.environ and os.environ["LD_PRELOAD"] == "libjemalloc.so"
    assert (os.environ["IPYTHONDIR"], os.environ["JUPYTER_DATA_DIR"]) == (os.path.abspath(".ipy"), "/data")


def test_an_address_that_was_known_beforehand_is_taken_or_nothing(monkeypatch):
    """On the next port it would be another user's server that gets the token."""
    monkeypatch.delenv("JUPYTER_TOKEN", raising=False)
    assert "port_retries" not in servers.settings(1, 1, 1).ServerApp
    monkeypatch.setenv("JUPYTER_TOKEN", "mine")
    assert servers.settings(1, 1, 1).ServerApp.port_retries == 0
    assert servers.settings(1, 1, 1).KernelSpecManager.allowed_kernelspecs == {"python3"}
