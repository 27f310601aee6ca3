// The VAE in the page and the recorded runs against the package: tests/javascript/trained.json.

import test from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import { close } from "./compare.js";
import { contours, levels } from "../../site/live/contours.js";
import { PlaneLaw } from "../../site/live/plane_law.js";
import { codes, mosaic, pixels, replayOf } from "../../site/live/replay.js";
import { forward, Plane, Vae } from "../../site/live/vae.js";
import { vaeLab } from "../../site/live/vae_lab.js";

const read = (path) => JSON.parse(fs.readFileSync(new URL(path, import.meta.url), "utf8"));
const values = read("trained.json"), file = read("../../site/live/data/vae.json");
const PAGE = 1e-6; // what docs/site.md promises of a number of a page
const GRID = 2e-5; // what a grid of 20 000 points leaves of an integral over the plane

const vae = new Vae(file), plane = new Plane(vae, file.grid);
for (let at = 0; at < plane.N;) at = plane.decode(at);
const facts = { vae, plane, choices: file.choices };
const DEFAULT = { z: [0.5, -1], q: "encoder q(z | x)", K: 8, seed: 3 };

test("layers: an answer for each point, a tanh between two", () => {
  const layer = (weight, bias) => ({ inputs: weight.length / bias.length, outputs: bias.length, weight, bias });
  const one = layer([1, 2, 3, 4, 5, 6], [0.5, -1]); // 3 to 2
  assert.deepEqual([...forward([one], [1, 0, 1, 0, 1, 0])], [4.5, 9, 2.5, 4]);
  close([...forward([one, layer([2, -1], [1])], [1, 0, 0])], [1 + 2 * Math.tanh(1.5) - Math.tanh(3)]);
});

for (const { pixels, mean, std, z, decoded, log_joint, log_likelihood, ...by } of values.vae) {
  test(`the VAE of ${pixels.slice(0, 16)}...`, () => {
    const x = Float64Array.from(pixels, Number), own = vae.encode(x);
    close([own.mean, own.std], [mean, std], PAGE);
    z.forEach((at, i) => close([...vae.decode(at)], decoded[i], PAGE));
    close([...vae.logJoint(x, z.flat())], log_joint, PAGE);
    for (const [q, name] of [["encoder q(z | x)", "encoder"], ["prior p(z)", "prior"]]) {
      const found = vaeLab.compute({ ...DEFAULT, pixels, q }, facts), { elbo, expected, bound } = by[name];
      close(found.logP, log_likelihood, GRID, "log p(x)");
      close(found.elbo, elbo, GRID, `ELBO, ${name}`);
      for (const [K, value] of expected) close(found.law.expectedLogMean(K), value, GRID, `E[L_${K}], ${name}`);
      close(found.bound, bound, PAGE, `L_8, ${name}`);
      close(found.weights.reduce((sum, weight) => sum + weight), 1);
      assert.ok(found.elbo <= found.expected && found.expected <= found.logP + PAGE);
      assert.match(
        vaeLab.sentence(found),
        /^x is (a held-out \d|your drawing), q (its encoder's|the prior)\. The ELBO/,
      );
      const { z: at, logGiven } = found;
      close(logGiven, vae.logJoint(x, at)[0] + 0.5 * (at[0] ** 2 + at[1] ** 2) + Math.log(2 * Math.PI));
    }
  });
}

test("a law of few weights: E log of the mean of two draws, added up by hand", () => {
  const w = [0.001, 1, 30, 500], mass = [0.4, 0.3, 0.2, 0.1];
  const law = new PlaneLaw(Float64Array.from(w, Math.log), Float64Array.from(mass));
  let expected = 0;
  w.forEach((a, i) => w.forEach((b, j) => (expected += mass[i] * mass[j] * Math.log((a + b) / 2))));
  close(law.expectedLogMean(2), expected, PAGE);
  close(law.expectedLogMean(1), w.reduce((sum, a, i) => sum + mass[i] * Math.log(a), 0));
});

test("levels and lines of a Gaussian hill: a circle for each share", () => {
  const side = 81, step = 0.1, at = (i) => [step * (i % side) - 4, step * Math.floor(i / side) - 4];
  const hill = Float64Array.from({ length: side ** 2 }, (_, i) => -0.5 * (at(i)[0] ** 2 + at(i)[1] ** 2));
  const shares = [0.5, 0.95];
  levels(hill, shares).forEach((level, i) => {
    close(level, Math.log(1 - shares[i]), 0.03);
    const [line, ...others] = contours(hill, side, level);
    assert.equal(others.length, 0);
    assert.deepEqual(line[0], line.at(-1)); // it is closed
    for (const [column, row] of line) close(Math.hypot(step * column - 4, step * row - 4), Math.sqrt(-2 * level), 0.01);
  });
});

test("lines through a saddle and out of the picture", () => {
  const [flat] = contours([0, 0, 1, 1], 2, 0.5);
  assert.deepEqual(flat.toSorted(), [[0, 0.5], [1, 0.5]]);
  assert.equal(contours([1, 0, 0, 1], 2, 0.5).length, 2);
  assert.equal(contours([0, 1, 1, 0], 2, 0.5).length, 2);
  assert.equal(contours([1, 1, 1, 1], 2, 0.5).length, 0);
});

// Replays -------------------------------------------------------------------------------------------------------------

const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

test("codes, grey levels, images side by side", () => {
  assert.deepEqual([...codes(base64([127, 129, 0, 64]))], [1, -1, 0, 64 / 127]);
  assert.deepEqual(pixels(base64([0x0f, 0x3c])), [0, 1, 0.2, 0.8]);
  const seven = mosaic(Array.from({ length: 7 * 64 }, (_, i) => i)); // six in the first row, one below
  assert.deepEqual([seven[0], seven[7], seven[8], seven[47], seven[48]], [0, 7, 64, 327, 8]);
});

for (const { lab, run, step, preset, sentence } of values.replays) {
  const { experiment, facts: recording } = replayOf(lab, read(`../../site/live/data/${lab}.json`));
  test(`the last step of ${lab}, ${run}, in the words of the lab`, () => {
    const data = experiment.compute({ run, step }, recording);
    assert.equal(experiment.sentence(data), `${preset}. ${sentence}`);
  });
}

test("a run shows nothing of what comes later, and a turn from the step after it", () => {
  const { experiment, facts: recording } = replayOf("08.cockpit", read("../../site/live/data/08.cockpit.json"));
  const [, run] = recording.runs, [, { step }] = run.turns;
  const before = experiment.compute({ run: run.name, step }, recording);
  assert.ok(before.history.every(([at]) => at <= step));
  assert.equal(before.turn.preset, run.turns[0].preset);
  const after = experiment.compute({ run: run.name, step: step + recording.between }, recording);
  assert.equal(after.turn.preset, run.turns[1].preset);
  assert.equal(after.z.length, 2 * recording.labels.length);
});
