// The arithmetic of the site's labs against the package's: tests/javascript/values.json.

import test from "node:test";
import assert from "node:assert/strict";
import { close, values } from "./compare.js";
import { beside, chiSquared, kl, logLikelihood, onAGrid, posterior } from "../../site/live/linear_gaussian.js";
import { WeightLaw } from "../../site/live/weights.js";
import { jackknife, RowGradients, scoreGradient } from "../../site/live/gradients.js";
import { logScaledBessel } from "../../site/live/mean_mixture.js";
import { generator, pcg64 } from "../../site/live/numpy_noise.js";
import { iwaeLab } from "../../site/live/iwae_lab.js";
import * as mmd from "../../site/live/mmd.js";
import { mmdLab } from "../../site/live/mmd_lab.js";
import { doubles, mersenne, normals, uniforms } from "../../site/live/noise.js";
import { median, standardDeviation } from "../../site/live/stats.js";

const PAGE = 1e-6; // what docs/site.md promises of a number that a page integrates
const FLOAT = 2e-6; // what float32 noise leaves of a number that is made from it
const EVERY = 12; // of the places where densities are drawn

for (const { seed, count, bits, ...expected } of values.noise) {
  test(`noise of seed ${seed}`, () => {
    const next = mersenne(seed), words = Array.from({ length: 700 }, next);
    assert.deepEqual([0, 1, 623, 624, 699].map((i) => words[i]), bits);
    assert.deepEqual([...uniforms(count, seed).slice(-5)], expected.uniforms);
    close([...normals(count, seed).slice(-11)], expected.normals, FLOAT);
  });
}

for (const { seed, count, normals: expected } of values.doubles) {
  test(`${count} numbers in float64, seed ${seed}`, () => close([...doubles(count, seed).slice(-20)], expected));
}

for (const { entropy, raw, normals: expected, gammas } of values.numpy) {
  test(`numpy's noise of ${entropy}`, () => {
    const bits = pcg64(entropy), word = () => BigInt(bits()) + (BigInt(bits()) << 32n);
    assert.deepEqual(raw.map(() => String(word())), raw);
    const last = (draw) => Array.from({ length: 20000 }, draw).slice(-9);
    close(last(generator(entropy).normal), expected, FLOAT);
    for (const [shape, numbers] of Object.entries(gammas)) {
      const { gamma } = generator(entropy);
      close(last(() => gamma(Number(shape))), numbers, FLOAT);
    }
  });
}

for (const { facts, width, shift, rows, jackknife, ...expected } of values.gradients) {
  test(`gradients of every row, width ${width}, shift ${shift}`, () => {
    const { mean, std } = beside(facts, width, shift), found = new RowGradients(facts, mean, std);
    for (const { row, parameter, M, K, alpha, beta, value, ...moments } of rows) {
      const here = found.moments(row, parameter, M, K, { alpha, beta }), name = `${row} ${parameter} ${M} ${K}`;
      for (const key of ["mean", "variance"]) close(here[key], moments[key], PAGE, `${key} of ${name}`);
      close(found.value(row, M, K, { alpha, beta }), value, PAGE, `value of ${name}`);
    }
    close(
      [found.value("jackknife", 1, 7, { order: 3 }), found.mean("jackknife", "mean", 1, 7, { order: 3 })],
      jackknife,
      PAGE,
    );
    close(["mean", "std", "weight"].map((of) => found.ofLogP(of)), [0, 0, expected.of_log_p]);
    const score = scoreGradient(facts, mean, std, 0.7), { none, "left out": leftOut, ...numbers } = expected.score;
    for (const [name, value] of Object.entries(numbers)) close(score[name], value);
    close([score.variance(0), score.leaveOneOut(5)], [none, leftOut]);
  });
}

test("Bessel functions", () => {
  for (const [order, x, expected] of values.bessel) {
    close(logScaledBessel(order, x), expected, 1e-9, `I_${order}(${x})`);
  }
});

test("a jackknife leaves out every subset, and loses no digit where one weight is all", () => {
  const w = Float64Array.of(1, 1e-14, 2e-14, 4e-14), g = Float64Array.of(1, 2, 3, 4), log = Math.log;
  const without = [0, 1, 2, 3].map((left) => {
    const kept = [0, 1, 2, 3].filter((k) => k !== left), sum = kept.reduce((sum, k) => sum + w[k], 0);
    return [log(sum / 3), kept.reduce((sum, k) => sum + w[k] * g[k], 0) / sum];
  });
  const sum = w.reduce((a, b) => a + b), all = [log(sum / 4), w.reduce((a, b, k) => a + b * g[k], 0) / sum];
  const [value, gradient] = [0, 1].map((i) => 4 * all[i] - (3 / 4) * without.reduce((a, row) => a + row[i], 0));
  const found = jackknife(w, g, 1);
  close([found.value, found.gradient], [value, gradient], 1e-12);
});

for (const { settings, mean, std, ...expected } of values.iwae.cases) {
  const { facts } = values.iwae, { K, width, shift } = settings;
  test(`03.iwae, K = ${K}, width ${width}, shift ${shift}`, () => {
    const { mean: exact, variance } = posterior(facts);
    close([exact, variance], expected.posterior);
    close(logLikelihood(facts), expected.log_likelihood);
    close(kl(facts, mean, std), expected.kl);
    close(chiSquared(facts, mean, std), expected.chi_squared);

    const { logW, mass } = onAGrid(facts, mean, std, facts.points);
    const law = new WeightLaw(logW, mass);
    close(law.lower(K), expected.expected, PAGE);
    close(law.logMean, expected.log_likelihood, PAGE); // E w = p(x)
    close(law.impliedPosterior(K).reduce((sum, part) => sum + part), 1, PAGE);
    if (K === 1) close(law.impliedPosterior(1), [...mass], PAGE); // one draw, picked by its weight, is the draw

    const data = iwaeLab.compute(settings, facts);
    close(data.curve, expected.curve, PAGE);
    close(data.q.filter((_, i) => i % EVERY === 0), expected.q, PAGE);
    close(data.picked.filter((_, i) => i % EVERY === 0), expected.picked, PAGE);
    assert.equal(iwaeLab.sentence(data).split(". With one")[0], expected.sentence);
    assert.equal(iwaeLab.numbers(data).elbo, data.logP - kl(facts, mean, std));
  });
}

for (const { kernel, h, d, r, shift, spread, ...expected } of values.mmd.kernels) {
  test(`kernel ${kernel}, h = ${h}, d = ${d}`, () => {
    const { k, slope, mean } = mmd.profile(kernel, h, d);
    close(r.map(k), expected.k);
    close(r.map(slope), expected.slope);
    close(mmd.exactMmd2({ mean }, d, shift, spread), expected.exact);
  });
}

test("MMD, witness, pull and null distribution of given points", () => {
  const { n, d, h, count, seed, pooled: points, ...expected } = values.mmd.clouds;
  const { k, slope } = mmd.profile(mmd.IMQ, h, d), pooled = Float64Array.from(points.flat());
  const apart = (a, b) => a.reduce((sum, x, axis) => sum + (x - b[axis]) ** 2, 0);
  const r = Float64Array.from(points.flatMap((a) => points.map((b) => apart(a, b))));
  const matrix = mmd.kernelMatrix(r, k);
  close([...matrix], expected.k.flat());
  const { U, V } = mmd.mmd2(matrix, n);
  close([U, V], [expected.U, expected.V]);
  close([...mmd.witness(expected.plane, pooled, Float64Array.from(expected.elsewhere), d, k)], expected.witness);
  close(mmd.wayDown(pooled, r, d, slope, count), expected.pull);
  assert.equal(mmd.wayDown(pooled, r, d, slope, 60).length, n); // no more than there are codes
  const found = mmd.nullDistribution(matrix, n, seed);
  close([0, 1, 150, 299].map((run) => found[run]), expected.null);
  close(found.reduce((sum, value) => sum + value) / found.length, expected["null mean"]);
});

for (const { settings, first, ...expected } of values.mmd.labs) {
  test(`06.mmd, ${settings.kernel}, n = ${settings.n}, d = ${settings.d}`, () => {
    const data = mmdLab.compute(settings);
    close([...data.prior.slice(0, 3), ...data.codes.slice(-3)], first, FLOAT);
    assert.deepEqual(Object.keys(mmdLab.numbers(data)).sort(), Object.keys(expected).sort());
    for (const [name, value] of Object.entries(expected)) close(data[name], value, FLOAT, name);
    assert.match(mmdLab.sentence(data), RegExp(`^${settings.kernel}, n = ${settings.n}, d = ${settings.d}, `));
  });
}

test("median and spread of a list", () => {
  assert.equal(median(Float64Array.of(10, 9, -100)), 9);
  assert.equal(median(Float64Array.of(10, 9, -100, 2)), 5.5);
  assert.equal(standardDeviation(Float64Array.of(1, 2, 6)), Math.sqrt(14 / 3));
  assert.equal(standardDeviation(Float64Array.of(1, 2, 6), 1), Math.sqrt(7));
});
