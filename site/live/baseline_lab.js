// Lab "02.baseline" on a page: vaecourse/labs/baseline.py, with the same draws for the same seed.

import { beside, parabola, posterior } from "./linear_gaussian.js";
import { scoreGradient } from "./gradients.js";
import { doubles, remembered } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { general, withMinus } from "./frame.js";
import { average, beyond, histogram, ofHighest, standardDeviation } from "./stats.js";

/** @import { QSettings, ReferenceFacts } from "./lab.d.ts" */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 4000;
const PATH = "reparameterised", FIXED = "exact c*";
const NAMES = ["none", "mean", "leave-one-out", "optimal", FIXED, PATH];
const WORDS = ["none", "mean", "leave-\none-out", "opti-\nmal≈", "exact\nc*", "repara-\nmeter."];
const EDGES = steps(-16, 8, 121);
const LOW = 0.02, HIGH = 20000; // of the bars

/**
 * Variances are K times those of an estimate, and exact but for the baseline "optimal".
 * @param {QSettings & { baseline: string, K: number, unit: number, seed: number }} settings
 * @param {ReferenceFacts} facts
 */
function compute({ baseline, K, unit, seed, width, shift }, facts) {
  const { mean, std } = beside(facts, width, shift), { mean: m, variance: v } = posterior(facts);
  const of = scoreGradient(facts, mean, std, unit), exact = of.mean, { a, b, c } = parabola(facts, mean, std);
  const { middle, kinds } = reduced(K, seed);
  const estimates = kinds.map(([bare, square]) => bare.map((value, run) => (b * value + c * square[run]) / std));
  estimates[0] = estimates[0].map((value, run) => value + ((unit + a) * middle[run]) / std);
  estimates.push(estimates[0].map((value, run) => value - (of.best * middle[run]) / std));
  estimates.push(middle.map((eps) => -(mean - m + std * eps) / v));
  const means = NAMES.map((name) => (name === "mean" ? (exact * (K - 1)) / K : exact)), leftOut = of.leaveOneOut(K);
  const optimal = K * standardDeviation(estimates[3], 1) ** 2, path = (std / v) ** 2;
  const variances = [of.variance(0), leftOut * ((K - 1) / K) ** 2, leftOut, optimal, of.variance(of.best), path];
  return { K, baseline, width, shift, exact, estimates, variances, means, chosen: NAMES.indexOf(baseline) };
}

const reduced = remembered(
  /**
   * Every estimate is linear in the numbers of log w = a + b eps + c eps^2. So the noise is reduced once, and a drag of
   * q only weighs what is left of it: the mean of eps, and for the first four of NAMES that of (part - baseline) eps,
   * of the parts eps and eps^2: [RUNS] each.
   * @param {number} K
   * @param {number} seed
   */
  (K, seed) => {
    const eps = doubles(RUNS * K, seed), middle = new Float64Array(RUNS);
    const kinds = NAMES.slice(0, 4).map(() => [new Float64Array(RUNS), new Float64Array(RUNS)]);
    for (let run = 0; run < RUNS; run++) {
      const some = eps.subarray(run * K, (run + 1) * K);
      let sum = 0, squares = 0;
      for (const e of some) {
        sum += e;
        squares += e * e;
      }
      middle[run] = sum / K;
      for (const of of [0, 1]) {
        let plain = 0, product = 0, weighed = 0;
        for (const e of some) {
          const part = of ? e * e : e;
          plain += part;
          product += part * e;
          weighed += e * e * part;
        }
        let others = 0;
        for (const e of some) others += ((weighed - e * e * (of ? e * e : e)) / (squares - e * e)) * e;
        const shrunk = product / K - (plain / K) * middle[run];
        [product / K, shrunk, (shrunk * K) / (K - 1), (product - others) / K].forEach((value, i) => {
          kinds[i][of][run] = value;
        });
      }
    }
    return { middle, kinds };
  },
  2,
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
      ticks: [-15, -10, -5, 0, 5],
      label: `gradient for q's mean, ${RUNS} runs`,
    },
    y: { from: 0, to: 1.15 },
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
    y: {
      from: LOW,
      to: HIGH,
      log: true,
      ticks: [0.1, 1, 10, 100, 1000, 10000],
      label: "K × mean squared error (log)",
      name: (tick) => ({ 1000: "10³", 10000: "10⁴" })[tick] ?? `${tick}`,
    },
    key: { "variance (≈ measured)": "live-miwae live-area", "+ bias²": "live-elbo live-area" },
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
    beyond: gradients.words(),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ gradients, bars, ...marks }, { K, chosen, exact, estimates, variances, means }) {
  for (const [mark, i] of /** @type {const} */ ([[marks.score, chosen], [marks.path, 5]])) {
    gradients.bars(mark, EDGES, ofHighest(histogram(estimates[i], EDGES, true)));
  }
  gradients.write(marks.beyond, -4, 1.08, beyond(estimates[chosen], EDGES));
  gradients.vertical(marks.mean, means[chosen]);
  gradients.vertical(marks.truth, exact);
  const inside = (/** @type {number} */ value) => Math.min(Math.max(value, LOW), HIGH / 3);
  const errors = means.map((mean, i) => variances[i] + K * (mean - exact) ** 2);
  const box = (/** @type {number} */ i, /** @type {number} */ from, /** @type {number} */ to) => [
    [i - 0.35, inside(from)],
    [i + 0.35, inside(to)],
  ];
  bars.boxes(marks.others, variances.flatMap((top, i) => (i === chosen ? [] : [box(i, LOW, top)])));
  bars.boxes(marks.chosen, [box(chosen, LOW, variances[chosen])]);
  bars.boxes(
    marks.bias,
    variances.flatMap((bottom, i) => (errors[i] > bottom + 1e-9 ? [box(i, bottom, errors[i])] : [])),
  );
  errors.forEach((top, i) => {
    const mark = top < LOW ? "▼" : top > HIGH / 3 ? "▲" : ""; // its end is not in the picture
    bars.write(marks.labels[i], i, inside(top), mark + short(top), 5);
  });
}

/**
 * Three digits of a variance.
 * @param {number} value
 */
const short = (value) => value < 1e-9 ? "0" : value >= 100 ? value.toFixed(0) : general(value, 3);

/** @param {Data} data */
function sentence(data) {
  const { K, baseline, width, shift, chosen, exact, estimates, means } = data;
  const right = Math.abs(means[chosen] - exact) < 1e-9
    ? "unbiased"
    : `biased, its exact mean is ${means[chosen].toFixed(3)}`;
  const error = (1.96 * standardDeviation(estimates[chosen], 1)) / Math.sqrt(RUNS);
  return withMinus(
    `Baseline ${baseline}, K = ${K}, q ${width.toFixed(2)} wide and ${shift.toFixed(2)} off: mean gradient ` +
      `${average(estimates[chosen]).toFixed(3)} ± ${error.toFixed(3)}, the exact one is ${exact.toFixed(3)}: ` +
      `${right}. ${rules(data)}`,
  );
}

/**
 * Which way the chapter's rules stand for this q.
 * @param {Data} data
 */
function rules({ chosen, variances: [none, , leftOut, optimal, best, path] }) {
  const numbers = `${short(leftOut)} against ${short(path)}`, told = [];
  if (leftOut < path) {
    told.push(`Leave-one-out is quieter than reparameterising (${numbers}): log w is flat enough.`);
  } else if (best < path) {
    told.push(`Only with c* is the score function the quieter one (${short(best)}; leave-one-out ${numbers}).`);
  } else {
    told.push(`Reparameterising is quieter than leave-one-out (${numbers}) and than c* (${short(best)}).`);
  }
  if (none < leftOut) {
    told.push(`No baseline (${short(none)}) beats leave-one-out: by luck log w lies around 0.`);
  }
  if (NAMES[chosen] === "optimal" && leftOut > 1e-9) {
    const side = optimal > leftOut ? "worse" : "better", times = (optimal / leftOut).toFixed(2);
    told.push(`c* from the others is ${side} than leave-one-out, ${times} of its variance.`);
  }
  return told.join(" ");
}

export const baselineLab = { compute, numbers, build, update, sentence };
