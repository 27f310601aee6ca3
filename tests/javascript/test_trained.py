"""The VAE in the page and recorded runs: the files of data, and what 8 and 4 bits cost. Their JavaScript: *.test.js."""

import base64
import json

import numpy as np
import pytest
import torch

from tests.javascript import trained as expected
from tests.javascript.test_values import differences
from tools import page_vae, replays, trained
from vaecourse import data, labs
from vaecourse.models import VAE

HALF = 0.5 * (1 + 1e-9)


def test_the_file_has_what_the_package_computes_now():
    stored = json.loads(expected.FILE.read_text(encoding="utf-8"))
    assert differences(stored, expected.values()) == [], "mend the package, or: python -m tests.javascript.trained"


# The VAE -------------------------------------------------------------------------------------------------------------


def test_a_stored_weight_is_half_a_step_off_at_most():
    model = VAE(7, 2, (5, 3))
    for network, layers in page_vae.stored(model).items():
        for layer, given in zip([part for part in getattr(model, network) if hasattr(part, "weight")], layers):
            whole = np.frombuffer(base64.b64decode(given["weights"]), np.int8).reshape(layer.weight.shape)
            scales = np.array(given["scales"])[:, None]
            assert (np.abs(whole * scales - layer.weight.detach().numpy()) <= HALF * scales + 1e-6).all()
            assert given["biases"] == pytest.approx(layer.bias.tolist(), rel=1e-5)
    again = page_vae.model_of(page_vae.stored(model))
    x = torch.rand(4, 7)
    for exactly, stored in zip(model.encode(x), again.encode(x.double())):
        torch.testing.assert_close(stored.float(), exactly, rtol=0, atol=0.05)


def test_the_weights_are_a_trained_models_and_the_file_says_what_it_cost():
    file = page_vae.read()
    x = data.digits().binary_test().double()
    log_p = page_vae.log_likelihood(page_vae.model_of(file), x).mean().item()
    assert log_p == pytest.approx(file["held out"]["log p(x)"], abs=1e-5)
    assert -24.5 < log_p < -23  # benchmarks/digits.py has -23.9 for the ELBO with ten latent dimensions
    cost = file["held out"]["cost"]
    assert abs(cost["mean"]) < 0.005 and cost["largest"] < 0.1
    assert file["made"]["seed"] == page_vae.SEED and file["made"]["epochs"] == page_vae.SETTING.epochs
    assert sum(p.numel() for p in page_vae.model_of(file).parameters()) == 17092  # as site/vae.md says


def test_the_grid_is_fine_and_wide_enough_for_digits_and_for_noise():
    model = page_vae.model_of(page_vae.read())
    noise = torch.bernoulli(torch.full((40, 64), 0.5).double(), generator=torch.Generator().manual_seed(0))
    x = torch.cat([data.digits().binary_test()[:40].double(), noise])
    here, finer = page_vae.log_likelihood(model, x), page_vae.log_likelihood(model, x, step=0.06, reach=10.0)
    assert (here - finer).abs().max() < 1e-4  # as site/vae.md says


def test_digits_to_choose_are_held_out_and_of_every_class():
    choices, images = page_vae.read()["choices"], data.digits()
    held_out = {"".join(str(int(p)) for p in row): int(y) for row, y in zip(images.binary_test(), images.test_labels)}
    assert sorted({choice["label"] for choice in choices}) == list(range(10))
    assert all(held_out[choice["pixels"]] == choice["label"] for choice in choices)
    assert choices[trained.THREE]["label"] == 3 and choices[trained.DOUBTFUL]["label"] == 8


# Replays -------------------------------------------------------------------------------------------------------------


def decoded(text, kind=np.int8):
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize("name, run", [("06.latent", 1), ("08.cockpit", 0)])
def test_a_run_is_that_of_the_lab_and_a_code_half_a_step_off_at_most(name, run):
    of, stored = replays.ALL[name], replays.read(name)
    there = stored["runs"][run]
    assert there["name"] == of.runs[run].name and stored["made"]["seed"] == replays.SEED
    going = replays.frames(name, of.runs[run])
    for frame in there["frames"][:2]:
        trainer, now = next(going)
        assert now["reach"] == frame["reach"]
        z = replays.codes(trainer)[: replays.CODES].numpy()
        step = frame["reach"] / replays.LARGEST
        inside = np.abs(z) <= frame["reach"]
        off = np.abs(decoded(frame["z"]).reshape(z.shape) * step - z)
        assert (off[inside] <= 0.51 * step).all()
        if "rebuilt" in frame:
            both = decoded(frame["samples"], np.uint8)
            levels = np.stack([both >> 4, both & 15], 1).ravel() / replays.GREYS
            pixels = trainer.model.decode(trainer.prior[: replays.SAMPLES]).detach().numpy().ravel()
            assert np.abs(levels - pixels).max() <= 0.51 / replays.GREYS
    for row, before in zip(trainer.history, there["history"]):
        assert row == pytest.approx(before, rel=2e-3)


@pytest.mark.parametrize("name", replays.ALL)
def test_a_recording_has_a_frame_for_every_stop_and_presets_of_the_lab(name):
    of, stored, lab = replays.ALL[name], replays.read(name), labs.ALL[name]()
    frames = 1 + of.steps // of.between
    for run, there in zip(of.runs, stored["runs"], strict=True):
        assert len(there["frames"]) == frames and there["history"][-1][0] == of.steps
        assert {row[0] for row in there["history"]} >= set(range(0, of.steps + 1, of.between))
        assert set(run.presets.values()) <= set(lab.presets)
        assert [turn["step"] for turn in there["turns"]] == sorted(run.presets)
        assert all(step % of.between == 0 for step in run.presets)
    labels = data.digits().test_labels[: replays.CODES]
    assert stored["labels"] == "".join(str(int(label)) for label in labels)


def test_what_the_page_says_of_the_runs_holds():
    def at(name, run, step, column):
        stored = replays.read(name)
        (row,) = [row for row in stored["runs"][run]["history"] if row[0] == step]
        return row[1 + stored["columns"].index(column)]

    assert at("06.latent", 4, 400, "information") == pytest.approx(0.07, abs=0.005)
    signal = [at("08.cockpit", 1, step, "encoder") for step in (400, 800, 1200)]
    assert signal == pytest.approx([0.28, 0.13, 0.56], abs=0.005)
    assert at("08.cockpit", 1, 400, "log_p") < at("08.cockpit", 1, 800, "log_p")
    log_p = [at("08.cockpit", 2, step, "log_p") for step in (400, 800, 1200)]
    assert log_p[0] - log_p[1] == pytest.approx(1.4, abs=0.05) and log_p[2] - log_p[1] == pytest.approx(0.9, abs=0.05)


# The page ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", trained.WORDS)
def test_a_block_is_one_piece_of_markdown(name):
    assert "\n\n" not in trained.block(name) and f'data-from="../_static/live/{name}.js"' in trained.block(name)


def test_scripts_are_light_and_data_is_apart(tmp_path):
    trained.copy(tmp_path)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes["trained.js"] < 75_000  # with live.js under the 150 kB of all labs
    assert all(sizes[f"{name}.js"] < 115_000 for name in trained.WORDS)
