"""The links of the texts: all are found, each is asked for, and a dead one is named with its place.

What the web itself says is not tested: there may be no network. A server on this machine stands for it.
"""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tools import links


@pytest.fixture
def server(monkeypatch):
    """Pages that are there, moved, gone, closed to programs, and one whose server knows no HEAD."""
    asked = []

    class Pages(BaseHTTPRequestHandler):
        def answer(self):
            asked.append((self.command, self.path))
            codes = {"/there": 200, "/moved": 302, "/closed": 403, "/only-get": 405 if self.command == "HEAD" else 200}
            self.send_response(codes.get(self.path, 404))
            if self.path == "/moved":
                self.send_header("Location", "/there")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET = answer

        def log_message(self, *_):
            pass

    web = HTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield f"http://127.0.0.1:{web.server_port}", asked
    web.shutdown()
    thread.join()
    web.server_close()


def test_a_link_is_found_however_it_is_written(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "See [one](https://a.org/x_(y)), <https://b.org/p?q=1#part>.\n"
        'Or https://c.org/end. `https://d.org/code` **https://e.org/bold** "https://f.org/quoted"\n'
        "url: https://a.org/x_(y)\n"
        "not http://localhost:8888/lab, https://..., https://github.com/NAME/COURSE\n"
        "Burda et al., arXiv 1509.00519.\n"
    )
    found = links.gather([page])
    assert found == {
        "https://a.org/x_(y)": ["page.md:1", "page.md:3"],
        "https://b.org/p?q=1": ["page.md:1"],
        "https://c.org/end": ["page.md:2"],
        "https://d.org/code": ["page.md:2"],
        "https://e.org/bold": ["page.md:2"],
        "https://f.org/quoted": ["page.md:2"],
        "https://arxiv.org/abs/1509.00519": ["page.md:5"],
    }


@pytest.mark.parametrize(
    "page, said",
    [("there", None), ("moved", None), ("only-get", None), ("gone", "dead (404"), ("closed", "refused to a program")],
)
def test_a_page_is_asked_for(server, page, said):
    found = links.trouble(f"{server[0]}/{page}")
    assert found is None if said is None else found.startswith(said)
    assert server[1][0] == ("HEAD", f"/{page}")


def test_no_answer_is_told():
    assert links.trouble("http://127.0.0.1:9/").startswith("no answer (ConnectionError")


def test_the_dead_are_printed_with_their_place(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(links, "PLACES", links.re.compile("nowhere"))
    (tmp_path / "README.md").write_text(f"{server[0]}/there {server[0]}/closed\n{server[0]}/gone")
    assert links.main(["--folder", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert "/gone: dead (404 Not Found); in README.md:2" in said.err and "3 links, 1 of them answer" in said.out
    (tmp_path / "README.md").write_text(f"{server[0]}/there {server[0]}/closed")
    assert links.main(["--folder", str(tmp_path)]) == 0 and "look yourself" in capsys.readouterr().err


def test_the_courses_own_links_are_gathered(capsys):
    assert links.main(["--list"]) == 0
    said = capsys.readouterr().out
    assert "https://arxiv.org/abs/1509.00519" in said and "CITATION.cff:" in said and "bounds.py:" in said
