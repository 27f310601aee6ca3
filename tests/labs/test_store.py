"""Which file a page may name: in the folder where the course was started, a checkpoint, in view, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaecourse import labs
from vaecourse.labs import store


@pytest.fixture
def started(tmp_path, monkeypatch):
    """The folder in which the course was started, with a folder beside it that is not ours."""
    monkeypatch.delenv("VAECOURSE_PRESENTING", raising=False)
    home, other = (tmp_path.resolve() / name for name in ("home", "home-of-another"))
    home.mkdir()
    other.mkdir()
    (other / "x.safetensors").write_text("theirs")
    monkeypatch.setattr(labs, "STARTED", home)
    return home


@pytest.mark.parametrize(
    ("file", "place"),
    [
        ("x.safetensors", "x.safetensors"),
        (" x.safetensors\t".replace("\t", " "), "x.safetensors"),
        ("./runs/x.y.safetensors", "runs/x.y.safetensors"),
        ("runs/../x.safetensors", "x.safetensors"),
        ("ein Lauf, später.safetensors", "ein Lauf, später.safetensors"),
        ("{home}/x.safetensors", "x.safetensors"),
    ],
)
def test_what_a_page_may_name(started, file, place):
    found = store.inside(file.format(home=started))
    assert found == started / place and store.within(found) == place


@pytest.mark.parametrize(
    ("file", "because"),
    [
        ("", "Name a file"),
        ("   ", "Name a file"),
        (None, "must be text"),
        (3, "must be text"),
        (["x.safetensors"], "must be text"),
        ({"x": 1}, "must be text"),
        (b"x.safetensors", "must be text"),
        ("x" * 10**6 + ".safetensors", "at most 500 characters"),
        ("x" * 300 + ".safetensors", "leads nowhere"),
        ("x\0.safetensors", "printable"),
        ("x\n.safetensors", "printable"),
        ("x\ud800.safetensors", "printable"),
        ("thesis.txt", "must end in"),
        ("x.safetensors.txt", "must end in"),
        ("x.SAFETENSORS", "must end in"),
        ("safetensors", "must end in"),
        ("runs", "must end in"),
        ("notes.ipynb", "must end in"),
        (".safetensors", "hidden"),
        (".x.safetensors", "hidden"),
        (".ssh/x.safetensors", "hidden"),
        ("runs/.hidden/../x.safetensors", "hidden"),
        ("../home-of-another/x.safetensors", "not in the folder"),
        ("../x.safetensors", "not in the folder"),
        ("runs/../../x.safetensors", "not in the folder"),
        ("/etc/x.safetensors", "not in the folder"),
        ("{home}/../x.safetensors", "not in the folder"),
        ("{home}-of-another/x.safetensors", "not in the folder"),
        ("~/x.safetensors", "must not begin with ~"),
        ("~root/x.safetensors", "must not begin with ~"),
        ("C:/x.safetensors", "a drive"),
        ("C:x.safetensors", "a drive"),
        ("c:\\x.safetensors", "a drive"),
        ("\\\\server\\share\\x.safetensors", "a machine"),
        ("//server/share/x.safetensors", "a machine"),
        ("\\\\?\\C:\\x.safetensors", "a machine"),
        ("thesis.txt:x.safetensors", "a stream"),
        ("..\\x.safetensors", "must have / between"),
        ("folder.safetensors", "is no file"),
        ("pipe.safetensors", "is no file"),
        ("out/x.safetensors", "not in the folder"),
        ("out.safetensors", "not in the folder"),
        ("text.safetensors", "must end in"),
        ("secret.safetensors", "hidden"),
        ("circle.safetensors", "leads nowhere|is no file"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="pipes, and names with a backslash")
def test_what_a_page_may_not_name(started, file, because):
    (started / "folder.safetensors").mkdir()
    os.mkfifo(started / "pipe.safetensors")
    for link, target in {
        "out": started.parent / "home-of-another",
        "out.safetensors": started.parent / "home-of-another/x.safetensors",
        "text.safetensors": started / "thesis.txt",
        "secret.safetensors": started / ".secret.safetensors",
        "circle.safetensors": started / "circle.safetensors",
    }.items():
        (started / link).symlink_to(target)
    (started / "thesis.txt").write_text("mine")
    before = sorted(started.rglob("*"))
    with pytest.raises(store.Refused, match=because) as refusal:
        store.inside(file.format(home=started) if isinstance(file, str) else file)
    assert (
        str(refusal.value)[0] in "'\"TNW" and str(refusal.value).endswith((".", "?")) and len(str(refusal.value)) < 1200
    )
    assert sorted(started.rglob("*")) == before


@pytest.mark.parametrize(("value", "refused"), [(None, False), ("", False), ("0", False), ("1", True), ("true", True)])
def test_while_presenting_no_file_at_all(started, monkeypatch, value, refused):
    if value is not None:
        monkeypatch.setenv("VAECOURSE_PRESENTING", value)
    assert store.presenting() is refused
    if refused:
        with pytest.raises(store.Refused, match="While the labs are presented"):
            store.inside("x.safetensors")
    else:
        assert store.inside("x.safetensors") == started / "x.safetensors"


def test_a_change_of_folder_opens_no_other(tmp_path):
    """What counts is where the kernel was started, though the lab's own modules are imported after the change."""
    start, away = tmp_path / "start", tmp_path / "away"
    start.mkdir()
    away.mkdir()
    code = """if True:
        import os, sys
        from vaecourse import labs
        os.chdir(sys.argv[1])
        from vaecourse.labs import store
        print(store.inside("x.safetensors"))
        try:
            store.inside(sys.argv[1] + "/x.safetensors")
        except store.Refused as refusal:
            print(refusal)
    """
    told = subprocess.run(
        [sys.executable, "-c", code, str(away)], cwd=start, capture_output=True, text=True, check=True
    )
    first, second = told.stdout.splitlines()
    assert Path(first) == start.resolve() / "x.safetensors"
    assert "not in the folder in which the course was started" in second and str(start) in second


def test_a_folder_that_has_been_removed_is_told(started, monkeypatch):
    monkeypatch.setattr(labs, "STARTED", None)
    with pytest.raises(store.Refused, match="is gone"):
        store.inside("x.safetensors")
