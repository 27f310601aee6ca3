// Lab "02.proposal" on a page: vaecourse/labs/proposal.py, with the same draws for the same seed.

import { chiSquared, logLikelihood, normal, parabola, posterior } from "./linear_gaussian.js";
import { doubles } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { histogram, ofHighest } from "./stats.js";

/** @import { Model } from "./lab.d.ts" */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 40;
const Z = steps(-1.9, 3.3, 131);
const EDGES = steps(0.01, 100, 62, true); // of the histogram of w / p(x); lighter weights count in the first bar

/**
 * @param {{ width: number, shift: number, K: number, seed: number }} settings
 * @param {Model} facts
 */
function compute({ width, shift, K, seed }, facts) {
  const exact = posterior(facts),
    sd = Math.sqrt(exact.variance),
    p = Math.exp(logLikelihood(facts));
  const mean = exact.mean + shift * sd, std = width * sd;
  const { a, b, c } = parabola(facts, mean, std),
    eps = doubles(RUNS * K, seed),
    w = new Float64Array(K);
  /** @type {Float64Array | undefined} */
  let weights; // of run 0, over p(x)
  let effective = 0;
  const estimates = new Float64Array(RUNS), errors = new Float64Array(RUNS);
  for (let run = 0; run < RUNS; run++) {
    let sum = 0, squares = 0, spread = 0;
    for (let k = 0; k < K; k++) {
      const e = eps[run * K + k];
      w[k] = Math.exp(a + (c * e + b) * e);
      sum += w[k];
    }
    estimates[run] = sum / K;
    for (let k = 0; k < K; k++) {
      squares += w[k] ** 2;
      spread += (w[k] - estimates[run]) ** 2;
    }
    errors[run] = Math.sqrt(spread / (K - 1) / K);
    if (run > 0) continue;
    weights = w.map((weight) => weight / p);
    effective = sum ** 2 / squares;
  }
  return {
    K,
    exact: { mean: exact.mean, sd },
    mean,
    std,
    p,
    weights: /** @type {Float64Array} */ (weights),
    estimates,
    errors,
    effective,
    holds: Array.from(
      estimates,
      (estimate, run) => Math.abs(estimate - p) <= 1.96 * errors[run] + 1e-9 * p,
    ),
    chiSquared: chiSquared(facts, mean, std),
  };
}

/** @param {Data} data */
const numbers = ({ p, estimates, errors, effective, chiSquared }) => ({
  p,
  estimate: estimates[0],
  error: errors[0],
  effective,
  chi_squared: chiSquared,
});

/** @param {HTMLElement} figure */
function build(figure) {
  const runs = new Axes(figure, {
    width: 430,
    height: 400,
    x: {
      from: 0.07,
      to: 0.28,
      ticks: [0.1, 0.15, 0.2, 0.25],
      label: "estimate of p(x)",
      name: String,
    },
    y: { from: RUNS, to: -1 },
    key: {
      "exact p(x)": "live-exact",
      "40 intervals of 95%": "live-miwae",
      "those that miss p(x)": "live-elbo",
      estimate: "live-iwae live-dot",
    },
  });
  const densities = new Axes(figure, {
    x: { from: Z[0], to: Z[Z.length - 1], ticks: [-1, 0, 1, 2, 3], label: "z" },
    y: { from: 0, to: 2.2 },
    key: { posterior: "live-exact", q: "live-q" },
  });
  const weights = new Axes(figure, {
    x: {
      from: 0.01,
      to: 100,
      log: true,
      ticks: [0.01, 0.1, 1, 10, 100],
      label: "w / p(x)",
    },
    y: { from: 0, to: 1.05 },
    key: { "weights of run 1": "live-q live-area" },
  });
  const marks = {
    shade: densities.mark("live-q live-area"),
    q: densities.mark("live-q"),
    posterior: densities.mark("live-exact"),
    bars: weights.mark("live-q live-area"),
    held: runs.mark("live-miwae"),
    missed: runs.mark("live-elbo"),
    dots: runs.mark("live-iwae live-small live-dot"),
    truth: runs.mark("live-exact"),
  };
  weights.vertical(weights.mark("live-exact"), 1);
  return { runs, densities, weights, ...marks };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ runs, densities, weights, ...marks }, data) {
  const q = Z.map((z) => normal(z, data.mean, data.std)),
    { exact, estimates, errors } = data;
  densities.area(marks.shade, Z, q);
  densities.line(marks.q, Z, q);
  densities.line(
    marks.posterior,
    Z,
    Z.map((z) => normal(z, exact.mean, exact.sd)),
  );
  weights.bars(
    marks.bars,
    EDGES,
    ofHighest(histogram(data.weights, EDGES, true)),
  );
  const intervals = (/** @type {boolean} */ held) =>
    [...data.holds.keys()].filter((run) => data.holds[run] === held).map(
      (run) => {
        const [low, high] = [-1.96, 1.96].map((times) => [estimates[run] + times * errors[run], run]);
        return [low, high];
      },
    );
  runs.strokes(marks.held, intervals(true));
  runs.strokes(marks.missed, intervals(false));
  runs.dots(
    marks.dots,
    Array.from(estimates, (estimate, run) => [estimate, run]),
  );
  runs.vertical(marks.truth, data.p);
}

/** @param {Data} data */
function sentence({ K, p, estimates, errors, effective, holds, chiSquared }) {
  const spread = chiSquared === Infinity ? "infinite" : `${short(chiSquared)} times p(x)²`;
  return (
    `${holds.filter(Boolean).length} of ${RUNS} intervals hold the exact p(x) = ${p.toFixed(4)}. Run 1: ` +
    `${estimates[0].toFixed(4)} ± ${(1.96 * errors[0]).toFixed(4)}, effective sample size ${effective.toFixed(0)} ` +
    `of ${K}. Exact variance of a weight: ${spread}.`
  );
}

/** @param {number} value */
function short(value) {
  if (value < 0.005) return "0";
  return value < 1000 ? value.toFixed(2) : value.toExponential(1).replace(/\+(\d)$/, "+0$1");
}

export const proposalLab = { compute, numbers, build, update, sentence };
