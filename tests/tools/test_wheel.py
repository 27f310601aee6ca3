"""The package as PyPI will hand it out: built, installed into an empty environment, and used where no clone is."""

import email
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

import vaecourse

ROOT = Path(__file__).resolve().parents[2]


def told(command: list, folder: Path, **environment: str) -> str:
    """What a command prints that knows nothing of the clone. A failure shows all that it said."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VAECOURSE_DATA")}
    ended = subprocess.run(
        command, cwd=folder, env={**kept, **environment}, capture_output=True, encoding="utf-8", timeout=300
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


OURS = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # Debian's 3.11.2 has none


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The sdist, made from the files that git knows, and the wheel made from that sdist, by the setuptools pinned."""
    folder = tmp_path_factory.mktemp("built")
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True)
    for name in listed.stdout.decode().split("\0"):
        if name and not name.startswith(("chapters/", "tests/", "docs/", "site/")) and (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    build = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"
    told([sys.executable, "-c", build, "build_sdist", folder], folder / "source")
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        packed.extractall(folder / "unpacked", **OURS)
    (unpacked,) = (folder / "unpacked").iterdir()
    told([sys.executable, "-c", build, "build_wheel", folder], unpacked)
    (wheel,) = folder.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.fixture(scope="module")
def python(built, tmp_path_factory) -> Path:
    """The Python of an empty environment with the wheel in it, which borrows what the wheel needs from this one."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder / "venv", symlinks=os.name != "nt")
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = ["-m", "pip", "--python", programs / "python", "install", "--no-deps", "--no-index", built["wheel"]]
    told([sys.executable, *install], folder)
    packages = told([programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], folder)
    # A .pth in a borrowed folder is not read: the editable installation of the clone stays behind.
    Path(packages.strip(), "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return programs / "python"


@pytest.fixture
def use(python, tmp_path):
    """Run the new environment's Python with these words, in an empty folder."""
    share = str(Path(sys.prefix, "share/jupyter"))  # JupyterLab's part of what is borrowed

    def call(*words: object) -> str:
        return told([python, *map(str, words)], tmp_path, JUPYTER_PATH=share, OMP_NUM_THREADS="1")

    return call


def test_what_pypi_will_be_told_is_valid(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        text = wheel.read(name)
    said = Metadata.from_email(text, validate=True)
    assert (said.name, str(said.version)) == ("vaecourse", vaecourse.__version__) and said.summary
    assert said.description_content_type == "text/markdown" and email.message_from_bytes(text).get_payload()
    assert said.license_expression == "MIT" and said.license_files == ["LICENSE"]


def test_the_sdist_and_the_wheel_hold_the_same_package(built):
    with tarfile.open(built["sdist"]) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {name for name in inside if name.startswith("vaecourse/") and Path(name).suffix}
    assert {"pyproject.toml", "README.md", "LICENSE"} <= inside


def test_it_is_the_wheel_and_nothing_of_the_clone(use):
    code = "import sys, vaecourse; from importlib.util import find_spec; print(sys.path, vaecourse, find_spec('tools'))"
    said = use("-c", code)
    assert f"'{ROOT}'" not in said and str(ROOT / "vaecourse") not in said and said.strip().endswith(" None")


def test_doctor_finds_all_that_is_needed(use):
    said = use("-m", "vaecourse", "doctor")
    assert "WRONG" not in said and "The course can start" in said


def test_it_trains_and_evaluates(use, tmp_path):
    said = use("-m", "vaecourse", "train", "--epochs", 1, "--limit", 50, "--device", "cpu", "--checkpoint", "run")
    assert "1 epochs" in said or "1 epoch" in said
    assert (tmp_path / "run").is_file()
    assert "log p(x), K = 10: -" in use("-m", "vaecourse", "evaluate", "run", "--K", 10, "--limit", 9)


def test_a_lab_draws_its_still_picture(use, tmp_path):
    use("-c", "from vaecourse import labs; open('lab.png', 'wb').write(labs.ALL['01.gap']().still())")
    assert (tmp_path / "lab.png").read_bytes().startswith(b"\x89PNG")


def test_every_chapters_cards_are_inside(use):
    names = sorted(path.stem for path in (ROOT / "vaecourse/cards/data").glob("*.json"))
    code = "from vaecourse import cards; from vaecourse.cards import data; print(*map(str, data.numbers())); "
    said = use("-c", code + "print(cards.show('03.iwae_bound')); cards.line('03')")
    assert said.splitlines()[0].split() == names and "Run the cell above" in said and "0 of" in said


def test_every_recorded_table_is_inside(use):
    names = sorted(path.stem for path in (ROOT / "vaecourse/recorded").glob("*.json"))
    code = "import sys; from vaecourse import recorded; print(*filter(recorded.load, sys.argv[1:]))"
    assert use("-c", code, *names).split() == names
