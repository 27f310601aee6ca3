"""Another user of the machine, with a server of his own on 127.0.0.1, and a reader who follows a link to it."""

import shutil
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.browser.served.started import started
from tools import browser, chapter

MINE = {"lab": ".jp-Notebook .jp-Cell", "present": ".vaecourse-lab"}


@pytest.fixture(params=MINE)
def server(request, tmp_path):
    command = ["tools.present", "03", f"--folder={tmp_path}/page"]
    if request.param == "lab":
        shutil.copy(chapter.ROOT / "chapters/00-start-here.ipynb", tmp_path)
        command = ["tools.lab", "--allow-root", str(tmp_path / "00-start-here.ipynb")]
    with started(tmp_path, *command) as address:
        yield (
            request.param,
            address.replace("?", {"lab": "lab/tree/00-start-here.ipynb?", "present": "?"}[request.param]),
        )


@pytest.fixture
def neighbour():
    """His address, and the headers of what he was asked. Every page of his leads back to where it is told to."""
    heard = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.headers)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<a href='" + self.path.partition("?to=")[2].encode() + b"'>back</a>")

        def log_message(self, *_):
            pass

    web = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Thread(target=web.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{web.server_port}/", heard
    web.shutdown()


def test_a_link_to_his_server_tells_him_nothing_and_one_from_it_starts_nothing(chromium, server, neighbour):
    (name, address), (his, heard) = server, neighbour
    secret = address.split("/")[3]
    page = chromium.new_page()
    page.goto(address, timeout=1000 * browser.SECONDS)
    page.locator(MINE[name]).first.wait_for(timeout=1000 * browser.SECONDS)
    assert secret in page.url and any(cookie["name"].startswith("username-") for cookie in page.context.cookies())
    root = address.partition(secret)[0]

    follow = "(his) => { const a = document.createElement('a'); a.href = his; document.body.append(a); a.click() }"
    page.evaluate(follow, f"{his}?to={root}")
    page.wait_for_url(f"{his}**")
    assert heard and all(secret not in str(headers) and "username-" not in str(headers) for headers in heard)
    with page.expect_navigation() as navigation:
        page.get_by_text("back").click()
    assert navigation.value.status == 403

    page.goto(address.partition("?")[0], timeout=1000 * browser.SECONDS)  # the cookie still counts for its owner
    page.locator(MINE[name]).first.wait_for(timeout=1000 * browser.SECONDS)
    page.close()
