"""The frame of a public project says what is so: workflows, container, hooks, forms and the papers beside them.

None of it runs here. What can be read is: by actionlint, against GitHub's own schemas, which check-jsonschema brings,
and against the Makefile, the pins and the package.
"""

import functools
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import jsonschema
import pytest
import yaml

import vaecourse

ROOT = Path(__file__).resolve().parents[2]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
VERSION = vaecourse.__version__
OURS = ["CHANGELOG.md", "CODE_OF_CONDUCT.md", "SECURITY.md", ".devcontainer/README.md", ".github/RELEASING.md"]

CALLERS = [
    *(f".github/workflows/{path.name}" for path in WORKFLOWS),
    *("Dockerfile", ".devcontainer/devcontainer.json", ".devcontainer/lab", "postBuild"),
    *OURS,
]

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@functools.cache
def workflow(path: Path) -> dict:
    """As GitHub reads it: for plain YAML ``on`` is true."""
    return {"on" if key is True else key: value for key, value in yaml.safe_load(read(path)).items()}


def jobs(path: Path) -> dict[str, dict]:
    return workflow(path)["jobs"]


def steps(path: Path) -> list[dict]:
    return [step for job in jobs(path).values() for step in job.get("steps", [])]


def release():
    """.github/release.py, which is in no package."""
    specification = importlib.util.spec_from_file_location("release", GITHUB / "release.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


# Workflows -----------------------------------------------------------------------------------------------------------


def test_the_workflows_that_there_are():
    assert [path.stem for path in WORKFLOWS] == ["ci", "release", "site"]
    assert [workflow(path)["name"] for path in WORKFLOWS] == ["ci", "release", "site"]
    assert jobs(WORKFLOWS[0]).keys() == {"test", "learner", "lowest", "newest"}


@every_workflow
def test_every_action_is_pinned_by_its_commit_and_says_its_version(path):
    used = re.findall(r"^ *(?:- )?uses: *(.+)$", read(path), flags=re.MULTILINE)
    assert len(used) == sum("uses" in part for part in [*steps(path), *jobs(path).values()]) > 0
    for action in used:
        if not (action.startswith("./") and (ROOT / action).is_file()):  # a workflow of this very commit
            assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_one_action_has_one_commit():
    text = "".join(read(path) for path in WORKFLOWS)
    pinned = set(re.findall(r"uses: ([\w./-]+)@(\S+ # \S+)", text))
    assert len(pinned) == len({name for name, _ in pinned})


@every_workflow
def test_a_job_may_do_as_little_as_it_can(path):
    assert workflow(path)["permissions"] == {}
    may_write = {"publish": {"pages", "id-token"}, "pypi": {"id-token"}, "github": {"contents"}}
    for name, job in jobs(path).items():
        allowed = job["permissions"]
        assert allowed.keys() <= {"contents", "pages", "id-token"}
        assert {what for what, how in allowed.items() if how != "read"} == may_write.get(name, set())
        if name in may_write:
            assert not any("checkout" in step.get("uses", "") for step in job["steps"]), "it runs the repository's code"
        assert "secrets" not in job
    assert "secrets." not in read(path)


@every_workflow
def test_what_a_stranger_writes_is_never_part_of_a_command(path):
    assert "pull_request_target" not in workflow(path)["on"] and "workflow_run" not in workflow(path)["on"]
    for step in steps(path):
        assert "${{" not in step.get("run", ""), f"what stands in ${{{{ }}}} goes by `env`: {step['run']}"
        for value in step.get("env", {}).values():
            assert "github.event." not in str(value) and "head_ref" not in str(value)


@every_workflow
def test_a_run_ends_and_makes_way(path):
    assert workflow(path)["concurrency"]["group"].startswith(f"{path.stem}-")
    for job in jobs(path).values():
        assert 0 < job.get("timeout-minutes", 0) <= 90 or job["uses"].startswith("./")
        for step in job.get("steps", []):
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False


def test_nothing_that_is_kept_between_runs_goes_into_a_release():
    assert "cache" not in re.sub(r"#.*", "", read(GITHUB / "workflows/release.yml"))


def test_what_a_job_needs_is_there():
    for path in WORKFLOWS:
        for job in jobs(path).values():
            needs = job.get("needs", [])
            assert set([needs] if isinstance(needs, str) else needs) <= jobs(path).keys()
        for file in re.findall(
            r"(?:hashFiles\('|--requirement |--build-constraints |pytest --nbval )([\w./-]+)", read(path)
        ):
            assert (ROOT / file).exists(), f"{path.name} names {file}, which is not there"
    assert (ROOT / ".ci/run").stat().st_mode & 0o100


def test_the_learner_installs_as_the_page_says():
    page = read("docs/install.md")
    said = "\n".join(step.get("run", "") for step in jobs(GITHUB / "workflows/ci.yml")["learner"]["steps"])
    said = said.replace('"$BIN/python"', ".venv/bin/python")
    without_make = page.partition("## Without make\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^    (\.venv/bin/python -m pip .+)$", without_make, flags=re.MULTILINE)
    assert len(commands) == 2 and all(command in said for command in commands)


def lines(path: Path, text: str) -> str:
    """What a shell sees of this file."""
    if path in WORKFLOWS:
        return "\n".join(step.get("run", "") for step in steps(path))
    return re.sub(r"^ *(#|//).*", "", text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", CALLERS)
def test_every_target_that_is_made_is_in_the_makefile(name):
    makefile = read("Makefile")
    for variable, value in re.findall(r"^(LAB|TEST) := (\S+)$", makefile, flags=re.MULTILINE):
        makefile = makefile.replace(f"$({variable}):", f"{value}:")
    targets = set(re.findall(r"^([\w./-]+):(?!=)", makefile, flags=re.MULTILINE))
    text = lines(ROOT / name, read(name))
    begins = r"(?:^|`|[\"'(]|&& |; )" if name.endswith(".md") else r"(?:^|&& |; |[\"'] *|[A-Z_]+=\w+ )"
    for target in re.findall(rf"{begins} *make ([\w./-]+)", text, flags=re.MULTILINE):
        assert target in targets, f"{name} calls make {target}"
    if name.endswith(("ci.yml", "site.yml", "Dockerfile", "devcontainer.json", "lab")):
        assert re.search(rf"{begins} *make |\.ci/run", text, flags=re.MULTILINE)


def actionlint(*files: Path) -> subprocess.CompletedProcess:
    (words,) = re.findall(r"^ACTIONLINT := \$\(BIN\)/jactionlint (.*?) \.github/", read("Makefile"), flags=re.MULTILINE)
    program = Path(sysconfig.get_path("scripts"), "jactionlint")
    return subprocess.run([program, *words.split(), *files], cwd=ROOT, capture_output=True, encoding="utf-8")


def test_the_workflows_pass_actionlint():
    ended = actionlint(*WORKFLOWS, GITHUB / "dependabot.yml")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "$(ACTIONLINT)" in re.search(r"^lint:.*\n.*", read("Makefile"), flags=re.MULTILINE)[0]


@pytest.mark.parametrize(
    "right, wrong, said",
    [
        ("needs: build", "needs: bild", 'needs job "bild"'),
        ("runs-on: ubuntu-24.04", "runs-on: ubuntu-99", 'label "ubuntu-99" is unknown'),
        ("steps.preview.outputs", "steps.review.outputs", '"review"'),
        ("retention-days: 14", "retention-dais: 14", '"retention-dais"'),
    ],
)
def test_actionlint_sees_a_workflow_that_cannot_run(tmp_path, right, wrong, said):
    text = read(GITHUB / "workflows/site.yml")
    assert right in text
    path = tmp_path / ".github/workflows/site.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    ended = actionlint(path)
    assert ended.returncode == 1 and said in ended.stdout, ended.stdout + ended.stderr


# Containers ----------------------------------------------------------------------------------------------------------


def test_one_image_by_its_digest_for_tests_and_learners():
    (image, stage), *later = re.findall(r"^FROM (\S+) AS (\S+)$", read("Dockerfile"), flags=re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm@sha256:[0-9a-f]{64}", image)
    assert [came for came, _ in later] == [stage] and image == jobs(GITHUB / "workflows/ci.yml")["test"]["container"]
    assert re.search(
        rf"python={re.escape(image.split(':')[1].rpartition('.')[0])}$", read("environment.yml"), re.MULTILINE
    )


def test_the_container_is_no_root_and_guarded_by_a_token():
    text = read("Dockerfile")
    users = re.findall(r"^USER (\S+)$", text, flags=re.MULTILINE)
    assert users == ["1000:1000"] and text.index("USER 1000") < text.index("COPY --chown=learner")
    command = json.loads(re.findall(r"^CMD (\[.+\])$", text, flags=re.MULTILINE)[0])
    assert command == [".venv/bin/python", "-m", "tools.lab", "--no-browser", "--ip=0.0.0.0"]
    assert (ROOT / "tools/lab.py").exists() and "token" not in " ".join(command).lower()
    published = re.findall(r"docker run .*-p (\S+)", text + read(".devcontainer/README.md"))
    assert published and set(published) == {"127.0.0.1:8888:8888"}


def test_what_is_copied_into_the_image_is_what_is_installed_from():
    ignored = [line for line in read(".dockerignore").splitlines() if line and not line.startswith("#")]
    for needed in (
        "vaecourse",
        "tools",
        "chapters",
        "pins",
        "pyproject.toml",
        "Makefile",
        "constraints.txt",
        "README.md",
    ):
        assert (ROOT / needed).exists() and needed not in ignored
    assert {".git", ".venv", "build", "**/kept"} <= set(ignored)


def test_the_dev_container_builds_a_stage_that_there_is():
    text = re.sub(r"^ *//.*", "", read(".devcontainer/devcontainer.json"), flags=re.MULTILINE)
    container = json.loads(text)
    build = container["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert re.search(rf"^FROM \S+ AS {build['target']}$", read("Dockerfile"), flags=re.MULTILINE)
    assert f"useradd --create-home --uid 1000 --shell /bin/bash {container['remoteUser']}" in read("Dockerfile")
    assert (ROOT / container["customizations"]["codespaces"]["openFiles"][0]).exists()


# Hooks ---------------------------------------------------------------------------------------------------------------


def test_hooks_are_the_makefiles_own_checks():
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    assert repository["repo"] == "local"
    makefile = read("Makefile").replace("$(BIN)", ".venv/bin")
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in makefile, hook["id"]
        re.compile(hook["files"])
    entries = " ".join(hook["entry"] for hook in repository["hooks"])
    checks = re.search(r"^lint:.*?(?=^unit:)", makefile, flags=re.MULTILINE | re.DOTALL)[0]
    assert set(re.findall(r"\.venv/bin/(\w+)", checks)) <= set(re.findall(r"\.venv/bin/(\w+)", entries))


def test_a_hook_sees_the_files_of_its_line_in_the_makefile():
    makefile = read("Makefile")
    lists = dict(re.findall(r"^(PYTHONS|TEXTS) := (.+)$", makefile, flags=re.MULTILINE))
    pythons = lists["PYTHONS"].split()
    texts = lists["TEXTS"].replace("$(PYTHONS)", lists["PYTHONS"]).split()
    (repository,) = yaml.safe_load(read(".pre-commit-config.yaml"))["repos"]
    files = {hook["id"]: re.compile(hook["files"]) for hook in repository["hooks"]}
    assert all(files["ruff-check"].search(f"{folder}/x.py") for folder in [*pythons, "chapters"])
    assert all(files["ruff-format"].search(f"{folder}/x.py") for folder in pythons)
    assert not files["ruff-format"].search("chapters/03-iwae.py")
    assert all(files["codespell"].search(f"{name}/x.py" if (ROOT / name).is_dir() else name) for name in texts)


# Forms and papers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_and_can_be_sent(path):
    form = yaml.safe_load(read(path))
    assert {"name", "description", "body"} <= form.keys() and form.keys() <= {
        "name",
        "description",
        "title",
        "labels",
        "body",
    }
    asked = [entry for entry in form["body"] if entry["type"] != "markdown"]
    names = [entry["id"] for entry in asked]
    assert asked and len(names) == len(set(names))
    for entry in asked:
        assert entry["type"] in {"dropdown", "textarea", "input", "checkboxes"} and entry["attributes"]["label"]
        options = entry["attributes"].get("options", [])
        assert bool(options) == (entry["type"] in {"dropdown", "checkboxes"})
        assert len({str(option) for option in options}) == len(options)
        assert entry["type"] == "checkboxes" or all(isinstance(option, str) for option in options)
    assert any(entry.get("validations", {}).get("required") for entry in asked)


def test_the_forms_that_there_are():
    assert {path.stem for path in FORMS} == {"wrong-statement", "set-up", "proposal"}
    assert "-m vaecourse doctor" in read(GITHUB / "ISSUE_TEMPLATE/set-up.yml")
    form = yaml.safe_load(read(GITHUB / "ISSUE_TEMPLATE/wrong-statement.yml"))
    numbers = [option[:2] for option in form["body"][0]["attributes"]["options"][:-1]]
    assert numbers == sorted(path.name[:2] for path in (ROOT / "chapters").glob("[0-9][0-9]-*.py"))
    given = {label for path in FORMS for label in yaml.safe_load(read(path))["labels"]}
    assert all(f"`{label}`" in read(GITHUB / "RELEASING.md") for label in given)


SCHEMAS = [
    *((f".github/workflows/{path.name}", "github-workflows") for path in WORKFLOWS),
    (".github/dependabot.yml", "dependabot"),
    *((f".github/ISSUE_TEMPLATE/{path.name}", "github-issue-forms") for path in FORMS),
    (".github/ISSUE_TEMPLATE/config.yml", "github-issue-config"),
]


@pytest.mark.parametrize("name, schema", SCHEMAS, ids=lambda value: Path(value).stem)
def test_githubs_own_schema(name, schema):
    """Those that check-jsonschema carries along, read with jsonschema."""
    folder = Path(importlib.util.find_spec("check_jsonschema").origin).parent / "builtin_schemas/vendor"
    content = yaml.load(read(name), Loader=Schematic)
    rules = json.loads((folder / f"{schema}.json").read_text(encoding="utf-8"))
    faults = jsonschema.validators.validator_for(rules)(rules).iter_errors(content)
    assert [f"{fault.json_path}: {fault.message}" for fault in faults] == []


class Schematic(yaml.SafeLoader):
    """YAML in which ``on`` is a word."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first not in "oO"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def test_the_changelog_has_this_version_and_what_is_to_come():
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])
    numbers = [tuple(map(int, re.findall(r"\d+", heading)[:3])) for heading in headings[1:]]
    assert numbers == sorted(set(numbers), reverse=True)
    (dated,) = [heading for heading in headings if heading.startswith(f"[{VERSION}]")]
    assert dated.endswith(re.findall(r"^date-released: *(\S+)$", read("CITATION.cff"), flags=re.MULTILINE)[0])
    kinds = set(re.findall(r"^### (.+)$", read("CHANGELOG.md"), flags=re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_a_release_tells_the_changelogs_section():
    told = release().notes(f"v{VERSION}")
    assert told and "## [" not in told and told in read("CHANGELOG.md")
    ran = subprocess.run(
        [sys.executable, GITHUB / "release.py", f"v{VERSION}"], capture_output=True, encoding="utf-8", check=True
    )
    assert ran.stdout.strip() == told


@pytest.fixture
def course(tmp_path):
    """The three files that have a version."""
    (tmp_path / "vaecourse").mkdir()
    for name in ("vaecourse/__init__.py", "CITATION.cff", "CHANGELOG.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("tag", ["v9.9.9", VERSION, f"v{VERSION}.1", "v"])
def test_a_tag_that_is_not_the_version_is_refused(course, tag):
    with pytest.raises(
        SystemExit, match=rf"The tag is {tag}, and vaecourse/__init__.py has version {VERSION}: .* v{VERSION}\."
    ):
        release().notes(tag, course)


@pytest.mark.parametrize(
    "name, old, new, said",
    [
        ("CITATION.cff", f"version: {VERSION}", "version: 9.9.9", "CITATION.cff has version 9.9.9"),
        ("CHANGELOG.md", f"## [{VERSION}]", "## [9.9.9]", "has no section"),
    ],
)
def test_a_release_whose_papers_disagree_is_refused(course, name, old, new, said):
    text = (course / name).read_text(encoding="utf-8")
    assert old in text
    (course / name).write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(SystemExit, match=re.escape(said)):
        release().notes(f"v{VERSION}", course)


def test_a_release_that_says_nothing_is_refused(course):
    (course / "CHANGELOG.md").write_text(f"# Changelog\n\n## [{VERSION}]\n\n## [0.0.1]\n\nOld.\n", encoding="utf-8")
    with pytest.raises(SystemExit, match="is empty"):
        release().notes(f"v{VERSION}", course)


def test_every_pin_of_the_releases_own_tool_has_hashes():
    text = re.sub(r"^#.*\n", "", read(".github/twine.txt"), flags=re.MULTILINE)
    assert re.fullmatch(r"([\w.-]+==[\w.]+( ; .+)? \\\n( +--hash=sha256:[0-9a-f]{64}( \\)?\n)+)+", text)
    assert "\ntwine==" in text


@pytest.mark.parametrize("name", OURS)
def test_what_a_paper_links_to_is_there(name):
    for link in re.findall(r"\]\(([^)#\s]+)", read(name)):
        assert "://" in link or (ROOT / name).parent.joinpath(link).exists(), f"{name}: no {link}"


def test_no_owner_is_invented():
    """The repository's address is not known: what needs it takes it from where it runs."""
    listed = subprocess.run(
        [
            "git",
            "ls-files",
            "--others",
            "--cached",
            "--exclude-standard",
            ".github",
            ".devcontainer",
            "Dockerfile",
            ".pre-commit-config.yaml",
            *OURS,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split():
        assert not re.search(
            r"github\.com[/:]|github\.io|@[\w-]+\.(com|org|net)\b|ghcr\.io",
            re.sub(r"docs\.github\.com", "", read(name)),
        ), name


# Line endings --------------------------------------------------------------------------------------------------------


def test_a_checkout_of_windows_still_runs(tmp_path):
    """All files that git knows, as `git clone` leaves them where core.autocrlf is true."""

    def git(*words, folder=tmp_path, **more):
        own = ["-c", "core.autocrlf=true", "-c", "user.name=a", "-c", "user.email=a", "-c", "commit.gpgsign=false"]
        return subprocess.run(["git", *own, *words], cwd=folder, capture_output=True, check=True, **more).stdout

    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", folder=ROOT).decode().split("\0")
    source = tmp_path / "source"
    for name in {name for name in listed if name and (ROOT / name).is_file()}:
        if not name.startswith(("chapters/0", "vaecourse/recorded/", "docs/")) or name.endswith("00-start-here.ipynb"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    shutil.copy(ROOT / "docs/lab.png", source)
    git("init", "--quiet", folder=source)
    git("add", "--all", folder=source)
    git("commit", "--quiet", "--no-verify", "--message", "all", folder=source)
    git("clone", "--quiet", source, tmp_path / "clone")
    clone = tmp_path / "clone"
    for name in (
        ".ci/run",
        "Makefile",
        ".devcontainer/lab",
        "postBuild",
        "pins/lab.txt",
        "chapters/00-start-here.ipynb",
        "Dockerfile",
    ):
        assert b"\r" not in (clone / name).read_bytes(), f"{name} has carriage returns"
    assert (clone / "lab.png").read_bytes() == (ROOT / "docs/lab.png").read_bytes()
    endings = git("ls-files", "--eol", folder=clone).decode().splitlines()
    assert [line for line in endings if "crlf" in line.split("\t")[0] or "mixed" in line.split("\t")[0]] == []
    assert git("status", "--porcelain", folder=clone) == b""
