// Lab "02.baseline" on a page: vaecourse/labs/baseline.py, with the same draws for the same seed.

import { posterior, qOf } from "./linear_gaussian.js";
import { optimalBaseline, slopesOf } from "./gradients.js";
import { doubles, remembered } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { withMinus } from "./frame.js";
import { average, histogram, standardDeviation } from "./stats.js";

/** @import { QSettings, ReferenceFacts } from "./lab.d.ts" */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 4000;
const PATH = "reparameterised", FIXED = "exact c*";
const NAMES = ["none", "mean", "leave-one-out", "optimal", FIXED, PATH];
const WORDS = ["none", "mean", "leave-\none-out", "optimal", "exact\nc*", "repara-\nmeter."];
const EDGES = steps(-12, 8, 121), HIGHEST = 40;

/**
 * @param {QSettings & { baseline: string, K: number, seed: number }} settings
 * @param {ReferenceFacts} facts
 */
function compute({ baseline, K, seed, ...q }, facts) {
  const { mean, std } = qOf(q, facts), { mean: m, variance } = posterior(facts), exact = (m - mean) / variance;
  const estimates = estimatesOf(facts, mean, std, K, seed);
  const variances = estimates.map((some) => standardDeviation(some, 1) ** 2);
  const means = NAMES.map((name) => (name === "mean" ? (exact * (K - 1)) / K : exact));
  return { K, baseline, exact, estimates, variances, means, chosen: NAMES.indexOf(baseline) };
}

const estimatesOf = remembered(
  /**
   * Every estimator's gradients from the same noise, in the order of NAMES: [RUNS] each.
   * @param {ReferenceFacts} facts
   * @param {number} mean
   * @param {number} std
   * @param {number} K
   * @param {number} seed
   */
  (facts, mean, std, K, seed) => {
    const of = slopesOf(facts, mean, std), best = optimalBaseline(facts, mean, std), eps = doubles(RUNS * K, seed);
    const found = NAMES.map(() => new Float64Array(RUNS)), logW = new Float64Array(K), score = new Float64Array(K);
    for (let run = 0; run < RUNS; run++) {
      let sum = 0, squares = 0, weighted = 0, path = 0;
      for (let k = 0; k < K; k++) {
        const e = eps[run * K + k];
        logW[k] = of.logW(e);
        score[k] = of.score(e);
        path += of.path(e) - score[k];
        sum += logW[k];
        squares += score[k] ** 2;
        weighted += score[k] ** 2 * logW[k];
      }
      for (let k = 0; k < K; k++) {
        const square = score[k] ** 2;
        const baselines = [
          0,
          sum / K,
          (sum - logW[k]) / (K - 1),
          (weighted - square * logW[k]) / (squares - square),
          best,
        ];
        for (let i = 0; i < 5; i++) found[i][run] += ((logW[k] - baselines[i]) * score[k]) / K;
      }
      found[5][run] = path / K;
    }
    return found;
  },
);

/** @param {Data} data */
const numbers = ({ chosen, exact, estimates, variances, means }) => ({
  exact,
  expected: means[chosen],
  mean: average(estimates[chosen]),
  variance: variances[chosen],
  path_variance: variances[5],
});

/** @param {HTMLElement} figure */
function build(figure) {
  const gradients = new Axes(figure, {
    height: 320,
    x: {
      from: EDGES[0],
      to: EDGES[EDGES.length - 1],
      ticks: [-10, -5, 0, 5],
      label: `gradient for q's mean, ${RUNS} runs`,
    },
    y: { from: 0, to: 1.05 },
    key: {
      "exact gradient": "live-exact",
      [PATH]: "live-prior live-area",
      "score function": "live-iwae",
      "its exact mean": "live-iwae live-thin",
    },
  });
  const bars = new Axes(figure, {
    height: 320,
    x: { from: -0.6, to: 5.6, ticks: [0, 1, 2, 3, 4, 5], name: (bar) => WORDS[bar], grid: false },
    y: { from: 0, to: HIGHEST, ticks: [0, 10, 20, 30], label: "K × mean squared error" },
    key: { variance: "live-miwae live-area", "bias²": "live-elbo live-area" },
  });
  return {
    gradients,
    bars,
    path: gradients.mark("live-prior live-area"),
    score: gradients.mark("live-iwae"),
    mean: gradients.mark("live-iwae live-thin"),
    truth: gradients.mark("live-exact"),
    others: bars.mark("live-miwae live-area"),
    chosen: bars.mark("live-iwae live-area"),
    bias: bars.mark("live-elbo live-area"),
    labels: NAMES.map(() => bars.words()),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ gradients, bars, ...marks }, { K, chosen, exact, estimates, variances, means }) {
  const [score, path] = [chosen, 5].map((i) => histogram(estimates[i], EDGES));
  const most = Math.max(...score, ...path);
  gradients.bars(marks.score, EDGES, score.map((share) => share / most));
  gradients.bars(marks.path, EDGES, path.map((share) => share / most));
  gradients.vertical(marks.mean, means[chosen]);
  gradients.vertical(marks.truth, exact);
  const low = variances.map((variance) => K * variance),
    high = means.map((mean, i) => low[i] + K * (mean - exact) ** 2);
  const box = (
    /** @type {number} */ i,
    /** @type {number} */ from,
    /** @type {number} */ to,
  ) => [[i - 0.35, Math.min(from, HIGHEST)], [i + 0.35, Math.min(to, HIGHEST)]];
  bars.boxes(marks.others, low.flatMap((top, i) => (i === chosen ? [] : [box(i, 0, top)])));
  bars.boxes(marks.chosen, [box(chosen, 0, low[chosen])]);
  bars.boxes(marks.bias, low.map((bottom, i) => box(i, bottom, high[i])));
  high.forEach((top, i) => bars.write(marks.labels[i], i, Math.min(top, 0.93 * HIGHEST), top.toFixed(1), 5));
}

/** @param {Data} data */
function sentence({ K, baseline, chosen, exact, estimates, variances, means }) {
  const right = means[chosen] === exact ? "unbiased" : `biased, its exact mean is ${means[chosen].toFixed(3)}`;
  const error = 1.96 * Math.sqrt(variances[chosen] / RUNS);
  return `Baseline ${baseline}, ` + withMinus(
    `K = ${K}: mean gradient ${average(estimates[chosen]).toFixed(3)} ± ${error.toFixed(3)}, ` +
      `the exact one is ${exact.toFixed(3)}: ${right}. ` +
      `Variance ${variances[chosen].toFixed(2)}, reparameterised ${variances[5].toFixed(2)}.`,
  );
}

export const baselineLab = { compute, numbers, build, update, sentence };
