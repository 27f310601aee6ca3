"""`make gpu`, rehearsed on the CPU: every part runs, is written at once, and is not done twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "benchmarks.gpu"]


def call(*words):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*COMMAND, *map(str, words)], cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory):
    file = tmp_path_factory.mktemp("gpu") / "result.json"
    done = call("--rehearse", "--to", file)
    assert done.returncode == 0, done.stdout + done.stderr
    return file, done.stdout


def test_every_part_is_there(rehearsed):
    file, said = rehearsed
    result = json.loads(file.read_text())
    assert result["machine"]["device"] == "cpu" and result.keys() == {"machine", "tests", "steps", "table", "long"}
    assert result["tests"]["passed"] > 100 and result["tests"]["failed"] == 0
    assert {row["precision"] for row in result["steps"]["rows"]} == {"float32", "bf16"}
    assert all(row["ms"] > 0 and row["products"] > 0 for row in result["steps"]["rows"])
    assert [len(values) for values in result["table"]["nll"].values()] == [2, 2]
    assert [len(values) for values in result["long"]["nll"].values()] == [1] and result["long"]["aim"] == 85.28
    page = file.with_suffix(".md").read_text()
    assert page.partition("\n<!-- made by")[0] in said
    assert f"{result['tests']['passed']} passed" in page and "| IWAE, k = 50 |" in page


def test_what_is_done_is_not_done_again(rehearsed):
    file, _ = rehearsed
    before = file.read_bytes()
    again = call("--rehearse", "--to", file)
    assert again.stdout.count("done before") == 4 and file.read_bytes() == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_device_it_says_what_can_be_done(tmp_path):
    done = call("--to", tmp_path / "result.json")
    assert done.returncode == 2 and "make gpu ARGS=--rehearse" in done.stdout and not list(tmp_path.iterdir())
