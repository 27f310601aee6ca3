// Lab "03.iwae" on a page: vaecourse/labs/iwae.py without its sampled runs; in their place the weight itself.

import { beside, chiSquared, kl, logLikelihood, normal, onAGrid, posterior } from "./linear_gaussian.js";
import { WeightLaw } from "./weights.js";
import { Axes, steps } from "./chart.js";
import { fixed, withMinus } from "./frame.js";

/** @import { ReferenceFacts as Facts } from "./lab.d.ts" */

const Z = steps(-1.2, 2.9, 165);
const LOWEST = -3.2, HIGHEST = -1.5; // of the curve's axis, in nats
const WEIGHTS = { from: 0.005, to: 200 };

/** @typedef {ReturnType<typeof newLaw>} Law */

/** @type {Law | undefined} */
let kept; // of the last q

/**
 * @param {Facts} facts
 * @param {number} mean
 * @param {number} std
 */
function lawOf(facts, mean, std) {
  if (kept?.mean !== mean || kept.std !== std) kept = newLaw(facts, mean, std);
  return kept;
}

/**
 * @param {Facts} facts
 * @param {number} mean
 * @param {number} std
 */
function newLaw(facts, mean, std) {
  const grid = onAGrid(facts, mean, std, facts.points);
  const law = new WeightLaw(grid.logW, grid.mass);
  return { mean, std, grid, law, curve: facts.allK.map((K) => law.lower(K)) };
}

/**
 * A density at the places Z from the masses on a grid of equal steps, by straight lines.
 * @param {Float64Array} z
 * @param {Float64Array} mass
 */
function onZ(z, mass) {
  const step = z[1] - z[0];
  return Z.map((at) => {
    const place = (at - z[0]) / step, i = Math.floor(place);
    if (i < 0 || i >= z.length - 1) return 0;
    return (mass[i] + (place - i) * (mass[i + 1] - mass[i])) / step;
  });
}

/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

/**
 * @param {{ K: number, width: number, shift: number }} settings
 * @param {Facts} facts
 */
function compute({ K, width, shift }, facts) {
  const { mean, std } = beside(facts, width, shift), { mean: m, variance } = posterior(facts);
  const { grid, law, curve } = lawOf(facts, mean, std);
  const logP = logLikelihood(facts);
  return {
    K,
    width,
    curve,
    exact: { mean: m, std: Math.sqrt(variance) },
    allK: facts.allK,
    logP,
    elbo: logP - kl(facts, mean, std),
    chiSquared: chiSquared(facts, mean, std),
    expected: law.lower(K),
    q: onZ(grid.z, law.mass),
    picked: onZ(grid.z, law.impliedPosterior(K)),
    weight: Z.map((z) => normal(z, m, Math.sqrt(variance)) / normal(z, mean, std)),
  };
}

/** @param {Data} data */
const numbers = ({ logP, elbo, chiSquared, expected }) => ({
  log_likelihood: logP,
  elbo,
  chi_squared: chiSquared,
  expected,
});

/** @param {HTMLElement} figure */
function build(figure) {
  const curve = new Axes(figure, {
    width: 430,
    height: 400,
    x: { from: 0.85, to: 1200, log: true, ticks: [1, 10, 100, 1000], label: "samples K (log scale)" },
    y: { from: LOWEST, to: HIGHEST, ticks: [-3, -2.5, -2, -1.5], label: "nats", name: (nats) => nats.toFixed(1) },
    key: {
      "exact log p(x)": "live-exact",
      "exact E[L_K]": "live-iwae",
      "law log p(x) − χ²/(2K)": "live-q live-dotted",
      "the ELBO, K = 1": "live-elbo live-thin",
      "gap": "live-elbo live-gap",
      "below the picture": "live-iwae live-out",
    },
  });
  const z = { from: Z[0], to: Z[Z.length - 1], ticks: [-1, 0, 1, 2], label: "z" };
  const density = new Axes(figure, {
    x: z,
    y: { from: 0, to: 1.9 },
    key: { posterior: "live-exact", q: "live-q live-thick", "picked by weight": "live-iwae" },
  });
  const weights = new Axes(figure, {
    x: z,
    y: { ...WEIGHTS, log: true, ticks: [0.01, 0.1, 1, 10, 100] },
    key: { "weight w(z) / p(x)": "live-ciwae" },
  });
  weights.horizontal(weights.mark("live-prior live-thin"), 1);
  return {
    curve,
    density,
    weights,
    truth: curve.mark("live-exact"),
    first: curve.mark("live-elbo live-thin"),
    law: curve.mark("live-q live-dotted"),
    bound: curve.edged("live-iwae"),
    gap: curve.mark("live-elbo live-gap"),
    dot: curve.edged("live-iwae live-big live-dot"),
    q: density.mark("live-q live-thick"),
    picked: density.mark("live-iwae"),
    posterior: density.mark("live-exact"),
    weight: weights.mark("live-ciwae"),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update(marks, data) {
  const { curve, density, weights } = marks, { K, logP } = data;
  const soFar = [...data.allK.filter((k) => k < K), K]; // what lies ahead is the reader's to predict
  curve.horizontal(marks.truth, logP);
  curve.horizontal(marks.first, data.elbo);
  curve.edgedLine(marks.bound, soFar, [...data.curve.slice(0, soFar.length - 1), data.expected]);
  curve.line(marks.law, soFar, soFar.map((k) => logP - data.chiSquared / (2 * k)));
  curve.line(marks.gap, [K, K], [data.expected, logP]);
  curve.edgedDots(marks.dot, [[K, data.expected]]);
  density.line(marks.posterior, Z, Z.map((at) => normal(at, data.exact.mean, data.exact.std)));
  density.line(marks.q, Z, data.q);
  density.line(marks.picked, Z, data.picked);
  weights.line(marks.weight, Z, data.weight);
}

/** @param {Data} data */
function sentence({ K, width, logP, elbo, chiSquared, expected }) {
  return withMinus(
    `K = ${K}, q ${fixed(width, 2)} posterior widths wide: the expected bound is ${fixed(expected, 3)} nats, ` +
      `${fixed(logP - expected, 3)} below log p(x) = ${fixed(logP, 3)} (${rate(chiSquared / (2 * K))}). ` +
      `With one sample, the ELBO, it is ${fixed(elbo, 3)}: ${fixed(logP - elbo, 3)} below.`,
  );
}

/** @param {number} law */
function rate(law) {
  if (!Number.isFinite(law)) return "χ² is infinite: no 1/K law";
  return law > 1 ? "χ²/(2K) is above 1: too early for the law" : `χ²/(2K) says ${fixed(law, 3)}`;
}

export const iwaeLab = { compute, numbers, build, update, sentence };
