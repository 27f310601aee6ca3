// Lab "00.bound" on a page: vaecourse/labs/first_bound.py, with the same runs for the same seed.

import { logLikelihood, onAGrid, parabola } from "./linear_gaussian.js";
import { WeightLaw } from "./weights.js";
import { normals, remembered } from "./noise.js";
import { Axes } from "./chart.js";
import { fixed } from "./frame.js";
import { quantile } from "./stats.js";

/** @import { ReferenceFacts } from "./lab.d.ts" */
/** @typedef {ReferenceFacts & { runs: number, largestK: number }} Facts */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const LOWEST = -4.1;
const noise = remembered(normals);
/** @type {WeightLaw | undefined} */
let law;

/**
 * @param {{ K: number, seed: number }} settings
 * @param {Facts} facts
 */
function compute({ K, seed }, facts) {
  const { mean, std, runs: count, largestK } = facts;
  if (!law) {
    const { logW, mass } = onAGrid(facts, mean, std, facts.points);
    law = new WeightLaw(logW, mass);
  }
  const { a, b, c } = parabola(facts, mean, std),
    eps = noise(count * largestK, seed);
  const runs = Float64Array.from({ length: count }, (_, run) => {
    let sum = 0;
    for (let i = run * largestK; i < run * largestK + K; i++) {
      sum += Math.exp((c * eps[i] + b) * eps[i]);
    }
    return a + Math.log(sum / K);
  });
  const soFar = [...facts.allK.filter((k) => k < K), K]; // what lies ahead is the reader's to predict
  const curve = soFar.map((k) => /** @type {WeightLaw} */ (law).lower(k));
  return {
    K,
    logP: logLikelihood(facts),
    expected: curve[curve.length - 1],
    soFar,
    curve,
    runs,
  };
}

/** @param {Data} data */
const numbers = ({ logP, expected, runs }) => ({
  log_likelihood: logP,
  expected,
  low: quantile(runs, 0.1),
  high: quantile(runs, 0.9),
});

/** @param {HTMLElement} figure */
function build(figure) {
  const nats = { from: LOWEST, to: -0.6, ticks: [-4, -3, -2, -1] };
  const curve = new Axes(figure, {
    height: 320,
    x: {
      from: 0.85,
      to: 1200,
      log: true,
      ticks: [1, 10, 100, 1000],
      label: "samples K (log scale)",
    },
    y: { ...nats, label: "nats" },
    key: {
      "exact log p(x)": "live-exact",
      "the bound: E[L_K]": "live-iwae",
      gap: "live-elbo live-gap",
    },
  });
  const runs = new Axes(figure, {
    height: 320,
    x: { from: -0.05, to: 1.05, label: "single runs, side by side" },
    y: nats,
    key: { "500 single runs": "live-miwae live-dot", "below the picture": "live-miwae live-out" },
  });
  return {
    curve,
    runs,
    dots: runs.edged("live-miwae live-small live-dot"),
    mean: runs.mark("live-iwae"),
    truths: [curve, runs].map((axes) => axes.mark("live-exact")),
    bound: curve.mark("live-iwae"),
    gap: curve.mark("live-elbo live-gap"),
    dot: curve.mark("live-iwae live-big live-dot"),
    label: curve.words(),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ curve, runs, ...marks }, { K, logP, expected, ...data }) {
  for (const [i, axes] of [curve, runs].entries()) {
    axes.horizontal(marks.truths[i], logP);
  }
  curve.line(marks.bound, data.soFar, data.curve);
  curve.line(marks.gap, [K, K], [expected, logP]);
  curve.dots(marks.dot, [[K, expected]]);
  curve.write(
    marks.label,
    K < 150 ? K * 2.8 : K / 2.8,
    expected,
    `gap ${(logP - expected).toFixed(4)}`,
    -22,
  );
  runs.edgedDots(
    marks.dots,
    Array.from(data.runs, (run, i) => [(i * 0.618034) % 1, run]),
  );
  runs.horizontal(marks.mean, expected);
}

/** @param {Data} data */
function sentence({ K, logP, expected, runs }) {
  return (
    `K = ${K}: the bound is ${expected.toFixed(4)} nats, ${(logP - expected).toFixed(4)} below ` +
    `log p(x) = ${logP.toFixed(4)}. Eight of ten runs land between ${fixed(quantile(runs, 0.1), 2)} and ` +
    `${fixed(quantile(runs, 0.9), 2)}.`
  );
}

export const boundLab = { compute, numbers, build, update, sentence };
