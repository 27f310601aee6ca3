// Lab "05.estimators" on a page: vaecourse/labs/estimators.py, with the same draws for the same seed.

import { jackknife, RowGradients, slopesOf } from "./gradients.js";
import { qOf } from "./linear_gaussian.js";
import { doubles, remembered } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { fixed } from "./frame.js";
import { histogram, ofHighest, standardDeviation } from "./stats.js";

/** @import { QSettings, ReferenceFacts, Row } from "./lab.d.ts" */
/** @typedef {ReferenceFacts & { encoder: string, largestK: number, ends: number[] }} Facts */
/** @typedef {{ estimator: string, parameter: string, alpha: number, order: number }} Estimator */
/** @typedef {Estimator & { K: number, seed: number }} Settings */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 1000, GROUPS = 4;
const CURVE_K = [1, 2, 4, 8, 16, 32, 64];
const GRADIENTS = steps(-6, 4, 101), VALUES = steps(-3.6, -0.6, 61);
const LOWEST = 0.03, HIGHEST = 40; // of the axis of signal over noise
/** @type {Record<string, Row | "jackknife">} */
const ROWS = {
  ELBO: "elbo",
  IWAE: "iwae",
  MIWAE: "miwae",
  STL: "stl",
  DReG: "dreg",
  "VR-IWAE": "vr_iwae",
  jackknife: "jackknife",
};
/** @type {Record<string, string>} */
const LOOKS = {
  ELBO: "live-elbo",
  IWAE: "live-iwae",
  STL: "live-q",
  DReG: "live-ciwae",
  "VR-IWAE": "live-piwae live-dashed",
};

const rowsOf = remembered(
  (/** @type {Facts} */ facts, /** @type {number} */ mean, /** @type {number} */ std) =>
    new RowGradients(facts, mean, std),
);

/**
 * M and K of an estimator that gets K samples in all.
 * @param {string} estimator
 * @param {number} K
 */
function shape(estimator, K) {
  const M = estimator === "MIWAE" ? Math.min(GROUPS, K) : 1;
  return [M, Math.floor(K / M)];
}

/**
 * @param {QSettings & Settings} settings
 * @param {Facts} facts
 */
function compute({ estimator, parameter, K: most, alpha, order: asked, seed, ...q }, facts) {
  const { mean, std } = qOf(q, facts), rows = rowsOf(facts, mean, std);
  const of = parameter === facts.encoder ? "mean" : "weight";
  const jack = estimator === "jackknife", order = jack ? Math.min(asked, most - 1) : asked;
  const K = jack ? Math.min(most, facts.ends[order]) : most, [M, size] = shape(estimator, K), row = ROWS[estimator];
  let warning = order < asked ? ` Order ${asked} needs more than ${most} samples: this is order ${order}.` : "";
  if (K < most) {
    warning = ` Order ${order} stops at K = ${K} in this lab: it looks at all ${choose(K, order)} subsets.`;
  }
  const claimed = estimator === "STL" || estimator === "DReG" ? "iwae" : row, settings = { alpha, order };
  const beside = Math.min(order, K - 1),
    { gradients, values } = runsOf(estimator, of, K, alpha, order, seed, facts, mean, std);
  const names = of === "mean" ? ["ELBO", "IWAE", "STL", "DReG", "VR-IWAE"] : ["ELBO", "IWAE", "VR-IWAE"];
  const sd = standardDeviation(gradients, 1), expectedGradient = rows.mean(row, of, M, size, settings);
  return {
    name: estimator + extra(estimator, K, alpha, order),
    parameter: parameter.split(":")[0],
    K,
    gradients,
    values,
    sd,
    mean: expectedGradient,
    signalToNoise: Math.abs(expectedGradient) / sd,
    target: rows.mean(claimed, of, M, size, settings),
    ofLogP: rows.ofLogP(of),
    expected: rows.value(claimed, M, size, settings),
    logP: rows.logP,
    curves: Object.fromEntries(names.map((name) => [name, curveOf(rows, name, of, name === "VR-IWAE" ? alpha : 0)])),
    beside: {
      [`VR-IWAE with α = ${alpha.toFixed(2)}`]: rows.value("vr_iwae", 1, K, { alpha }),
      [`jackknife of order ${beside}`]: rows.value("jackknife", 1, K, { order: beside }),
    },
    warning,
  };
}

/**
 * @param {string} estimator
 * @param {number} K
 * @param {number} alpha
 * @param {number} order
 */
function extra(estimator, K, alpha, order) {
  if (estimator === "VR-IWAE") return ` with α = ${alpha.toFixed(2)}`;
  if (estimator === "jackknife") return ` of order ${order}`;
  return estimator === "MIWAE" ? ` in ${shape(estimator, K).join(" groups of ")}` : "";
}

/**
 * @param {number} K
 * @param {number} order
 */
const choose = (K, order) => Array.from({ length: order }, (_, j) => (K - j) / (j + 1)).reduce((a, b) => a * b, 1);

/**
 * @param {RowGradients} rows
 * @param {string} name
 * @param {"mean" | "weight"} of
 * @param {number} alpha
 */
function curveOf(rows, name, of, alpha) {
  const row = /** @type {Row} */ (ROWS[name]);
  return CURVE_K.map((K) => rows.signalToNoise(row, of, 1, K, { alpha }));
}

const runsOf = remembered(
  /**
   * RUNS gradients and values of the estimator: sample k of a run is number k RUNS + run.
   * @param {string} estimator
   * @param {"mean" | "weight"} parameter
   * @param {number} K
   * @param {number} alpha
   * @param {number} order
   * @param {number} seed
   * @param {Facts} facts
   * @param {number} mean
   * @param {number} std
   */
  (estimator, parameter, K, alpha, order, seed, facts, mean, std) => {
    const of = slopesOf(facts, mean, std), eps = doubles(facts.largestK * RUNS, seed);
    const bare = parameter === "mean" && (estimator === "STL" || estimator === "DReG");
    const squared = parameter === "mean" && estimator === "DReG";
    const slope = parameter === "weight"
      ? of.weight
      : (/** @type {number} */ e) => of.path(e) - (bare ? 0 : of.score(e));
    const tilt = estimator === "ELBO" ? 0 : estimator === "VR-IWAE" ? 1 - alpha : 1, [M, size] = shape(estimator, K);
    const gradients = new Float64Array(RUNS), values = new Float64Array(RUNS);
    const logW = new Float64Array(size), g = new Float64Array(size);
    for (let run = 0; run < RUNS; run++) {
      for (let group = 0; group < M; group++) {
        let top = -Infinity;
        for (let k = 0; k < size; k++) {
          const e = eps[(group * size + k) * RUNS + run];
          logW[k] = of.logW(e);
          g[k] = slope(e);
          top = Math.max(top, logW[k]);
        }
        if (estimator === "jackknife") {
          const found = jackknife(logW.map((value) => Math.exp(value - top)), g, order);
          gradients[run] = found.gradient;
          values[run] = top + found.value;
          continue;
        }
        let sum = 0, logs = 0, weighted = 0;
        for (let k = 0; k < size; k++) {
          const w = Math.exp(tilt * (logW[k] - top));
          sum += w;
          logs += logW[k];
          weighted += (squared ? w * w : w) * g[k];
        }
        gradients[run] += weighted / (squared ? sum * sum : sum) / M;
        values[run] += (tilt === 0 ? logs / size : top + Math.log(sum / size) / tilt) / M;
      }
    }
    return { gradients, values };
  },
  8,
);

/** @param {Data} data */
const numbers = ({ mean, sd, target, ofLogP, expected, logP, beside }) => ({
  mean,
  sd,
  target,
  of_log_p: ofLogP,
  expected,
  log_likelihood: logP,
  vr_iwae: Object.values(beside)[0],
  jackknife: Object.values(beside)[1],
});

/** @param {HTMLElement} figure */
function build(figure) {
  const gradient = new Axes(figure, {
    width: 430,
    height: 400,
    x: { from: -6, to: 4, ticks: [-6, -4, -2, 0, 2, 4], label: `${RUNS} gradients, nats per unit` },
    y: { from: 0, to: 1.1 },
    key: {
      "exact ∇ bound": "live-exact",
      "exact ∇ log p(x)": "live-exact live-dotted",
      "exact mean": "live-elbo live-dot",
    },
  });
  const value = new Axes(figure, {
    x: { from: VALUES[0], to: VALUES[VALUES.length - 1], ticks: [-3, -2, -1], label: "values, nats (dashed: log p)" },
    y: { from: 0, to: 1.2 },
    key: { mean: "live-elbo live-dot", "VR-IWAE": "live-piwae live-dot", jackknife: "live-prior live-dot" },
  });
  const snr = new Axes(figure, {
    x: { from: 0.85, to: 75, log: true, ticks: [1, 4, 16, 64], label: "samples K" },
    y: { from: LOWEST, to: HIGHEST, log: true, ticks: [0.1, 1, 10], label: "signal / noise" },
    key: LOOKS,
  });
  return {
    gradient,
    value,
    snr,
    bars: gradient.mark("live-miwae live-area"),
    ofLogP: gradient.mark("live-exact live-dotted"),
    target: gradient.mark("live-exact"),
    mean: gradient.mark("live-elbo live-big live-dot"),
    values: value.mark("live-miwae live-area"),
    logP: value.mark("live-exact"),
    expected: value.mark("live-elbo live-big live-dot"),
    beside: ["live-piwae live-dot", "live-prior live-dot"].map((look) => value.mark(look)),
    curves: Object.entries(LOOKS).map(([name, look]) => ({ name, line: snr.mark(look) })),
    dot: snr.mark("live-exact live-dot"),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ gradient, value, snr, ...marks }, data) {
  gradient.bars(marks.bars, GRADIENTS, ofHighest(histogram(data.gradients, GRADIENTS, true)));
  gradient.vertical(marks.target, data.target);
  gradient.vertical(marks.ofLogP, data.ofLogP);
  gradient.dots(marks.mean, [[data.mean, 1.05]]);
  value.bars(marks.values, VALUES, ofHighest(histogram(data.values, VALUES, true)));
  value.vertical(marks.logP, data.logP);
  value.dots(marks.expected, [[data.expected, 1.1]]);
  Object.values(data.beside).forEach((expected, i) => value.dots(marks.beside[i], [[expected, 0.1]]));
  for (const { name, line } of marks.curves) {
    const curve = data.curves[name];
    snr.line(line, curve ? CURVE_K : [], curve ?? []);
  }
  snr.dots(marks.dot, [[data.K, Math.min(Math.max(data.signalToNoise, LOWEST), HIGHEST)]]);
}

/** @param {Data} data */
function sentence({ name, parameter, K, mean, target, sd, signalToNoise, expected, logP, beside, warning }) {
  const bias = mean - target, gap = expected - logP, signed = `${bias < 0 ? "" : "+"}${fixed(bias, 3)}`;
  const right = Math.abs(bias) < 1e-9 ? "exact for its bound" : `where ${fixed(target, 3)} is exact: bias ${signed}`;
  const others = Object.entries(beside).filter(([other]) => other !== name);
  const told = [
    `${name}, K = ${K}, ${parameter}: mean gradient ${fixed(mean, 3)}, ${right};`,
    together(`standard deviation ${fixed(sd, 3)}, signal-to-noise ${fixed(signalToNoise, 2)}.`),
    together(`Mean value ${fixed(expected, 4)}, ${fixed(Math.abs(gap), 4)} ${gap > 0 ? "above" : "below"} log p(x).`) +
    warning,
    `Mean values beside it: ${others.map(([other, value]) => `${other} ${fixed(value, 4)}`).join(", ")}.`,
  ];
  return told.join(" ").replace(/(\s)-/g, "$1−");
}

/**
 * Words that stay on one line.
 * @param {string} words
 */
const together = (words) => words.replace(/ /g, "\u00a0");

export const estimatorsLab = { compute, numbers, build, update, sentence };
