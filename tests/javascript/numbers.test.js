// The arithmetic of the site's labs against the package's: tests/javascript/values.json.

import test from "node:test";
import assert from "node:assert/strict";
import { close, values } from "./compare.js";
import { chiSquared, kl, logLikelihood, onAGrid, posterior } from "../../site/live/linear_gaussian.js";
import { WeightLaw } from "../../site/live/weights.js";
import { iwaeLab } from "../../site/live/iwae_lab.js";
import * as mmd from "../../site/live/mmd.js";
import { mmdLab } from "../../site/live/mmd_lab.js";
import { mersenne, normals, uniforms } from "../../site/live/noise.js";
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
