// Lab "05.estimators" on a page: vaecourse/labs/estimators.py, with the same draws for the same seed.

import { jackknife, RowGradients, slopesOf } from "./gradients.js";
import { beside } from "./linear_gaussian.js";
import { doubles, remembered } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { gapTo, general, withMinus } from "./frame.js";
import { beyond, histogram, ofHighest, standardDeviation } from "./stats.js";

/** @import { Parameter, QSettings, ReferenceFacts, Row } from "./lab.d.ts" */
/** @typedef {ReferenceFacts & { parameters: Record<string, Parameter>, largestK: number, ends: number[] }} Facts */
/** @typedef {{ estimator: string, parameter: string, alpha: number, order: number }} Estimator */
/** @typedef {Estimator & { K: number, seed: number }} Settings */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 1000, GROUPS = 4;
const CURVE_K = [1, 2, 4, 8, 16, 32, 64];
const GRADIENTS = steps(-7, 4, 111), VALUES = steps(-3.6, -0.6, 61);
const FOUR_MOMENTS = Math.sqrt(3 / 4); // the width above which E[w^4] is finite
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
function compute({ estimator, parameter, K: most, alpha, order: asked, seed, width, shift }, facts) {
  const { mean, std } = beside(facts, width, shift), rows = rowsOf(facts, mean, std);
  const of = facts.parameters[parameter];
  const jack = estimator === "jackknife", order = jack ? Math.min(asked, most - 1) : asked;
  const K = jack ? Math.min(most, facts.ends[order]) : most, [M, size] = shape(estimator, K), row = ROWS[estimator];
  let warning = order < asked ? ` Order ${asked} needs more than ${most} samples: this is order ${order}.` : "";
  if (K < most) {
    warning = ` Order ${order} stops at K = ${K} in this lab: it looks at all ${choose(K, order)} subsets.`;
  }
  const claimed = estimator === "STL" || estimator === "DReG" ? "iwae" : row, settings = { alpha, order };
  const highest = Math.min(order, K - 1),
    { gradients, values } = runsOf(estimator, of, K, alpha, order, seed, facts, mean, std);
  const names = of === "weight" ? ["ELBO", "IWAE", "VR-IWAE"] : ["ELBO", "IWAE", "STL", "DReG", "VR-IWAE"];
  const sd = standardDeviation(gradients, 1), expectedGradient = rows.mean(row, of, M, size, settings);
  const signalToNoise = row === "jackknife"
    ? rows.ratio({ mean: expectedGradient, variance: sd ** 2 })
    : rows.signalToNoise(row, of, M, size, settings);
  return {
    width,
    rows,
    of,
    largestK: facts.largestK,
    jack,
    order,
    estimator,
    alpha,
    name: estimator + extra(estimator, K, alpha, order),
    parameter,
    K,
    gradients,
    values,
    sd,
    mean: expectedGradient,
    signalToNoise,
    target: rows.mean(claimed, of, M, size, settings),
    ofLogP: rows.ofLogP(of),
    expected: rows.value(claimed, M, size, settings),
    logP: rows.logP,
    curves: Object.fromEntries(names.map((name) => [name, curveOf(rows, name, of, name === "VR-IWAE" ? alpha : 0)])),
    beside: {
      [`VR-IWAE with α = ${alpha.toFixed(2)}`]: rows.value("vr_iwae", 1, K, { alpha }),
      [`jackknife of order ${highest}`]: rows.value("jackknife", 1, K, { order: highest }),
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
 * @param {Parameter} of
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
   * @param {Parameter} parameter
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
    const bare = parameter !== "weight" && (estimator === "STL" || estimator === "DReG");
    const squared = parameter !== "weight" && estimator === "DReG";
    const slope = {
      mean: (/** @type {number} */ e) => of.path(e) - (bare ? 0 : of.score(e)),
      std: (/** @type {number} */ e) => of.path(e) * e - (bare ? 0 : (e * e - 1) / std),
      weight: of.weight,
    }[parameter];
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
    x: { from: -7, to: 4, ticks: [-6, -4, -2, 0, 2, 4], label: `${RUNS} gradients, nats per unit` },
    y: { from: 0, to: 1.2 },
    key: {
      "exact ∇ bound": "live-exact",
      "exact ∇ log p(x)": "live-exact live-dotted",
      "exact mean": "live-elbo live-dot",
    },
  });
  const value = new Axes(figure, {
    x: { from: VALUES[0], to: VALUES[VALUES.length - 1], ticks: [-3, -2, -1], label: "values, nats (dashed: log p)" },
    y: { from: 0, to: 1.35 },
    key: { mean: "live-elbo live-dot", "VR-IWAE": "live-piwae live-dot", jackknife: "live-prior live-dot" },
  });
  const snr = new Axes(figure, {
    x: { from: 0.85, to: 75, log: true, ticks: [1, 4, 16, 64], label: "samples K" },
    y: { from: 0.01, to: 100, log: true, ticks: [0.1, 1, 10], label: "signal / noise" },
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
    curves: Object.entries(LOOKS).map(([name, look]) => ({ name, line: snr.edged(look) })),
    dot: snr.edged("live-exact live-dot"),
    off: gradient.words(),
    beyond: gradient.words(),
    valuesBeyond: value.words(),
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
  const inside = data.mean >= GRADIENTS[0];
  gradient.dots(marks.mean, inside ? [[data.mean, 1.05]] : []);
  gradient.write(marks.off, GRADIENTS[0] + 0.3, 1.03, inside ? "" : "◀"); // it lies beyond the left end
  gradient.write(marks.beyond, -1.5, 1.13, beyond(data.gradients, GRADIENTS));
  value.bars(marks.values, VALUES, ofHighest(histogram(data.values, VALUES, true)));
  value.vertical(marks.logP, data.logP);
  value.write(marks.valuesBeyond, -2.1, 1.2, beyond(data.values, VALUES));
  const clip = (/** @type {number} */ nats) => Math.min(Math.max(nats, VALUES[0] + 0.05), VALUES[VALUES.length - 1]);
  value.dots(marks.expected, [[clip(data.expected), 1.1]]);
  Object.values(data.beside).forEach((expected, i) => value.dots(marks.beside[i], [[clip(expected), 0.1]]));
  for (const { name, line } of marks.curves) {
    const curve = data.curves[name];
    snr.edgedLine(line, curve ? CURVE_K : [], curve ?? []);
  }
  snr.edgedDots(marks.dot, [[data.K, data.signalToNoise]]);
}

/** @param {Data} data */
function sentence(data) {
  const { name, parameter, K, mean, target, sd, expected, logP, beside, warning } = data;
  const bias = mean - target, gap = gapTo(expected, logP), signed = `${bias < 0 ? "" : "+"}${bias.toFixed(3)}`;
  const right = Math.abs(bias) < 1e-9 ? "exact for its bound" : `where ${target.toFixed(3)} is exact: bias ${signed}`;
  const others = Object.entries(beside).filter(([other]) => other !== name);
  const told = [
    `${name}, K = ${K}, ${parameter}: mean gradient ${mean.toFixed(3)}, ${right};`,
    together(`standard deviation ${sd.toFixed(3)}, signal-to-noise ${said(data.signalToNoise)}.`),
    together(
      `Mean value ${expected.toFixed(4)}, ${Math.abs(gap).toFixed(4)} ${gap < 0 ? "above" : "below"} log p(x).`,
    ) +
    warning,
    `Mean values beside it: ${others.map(([other, value]) => `${other} ${value.toFixed(4)}`).join(", ")}.`,
    rule(data),
  ];
  return withMinus(told.join(" "));
}

/**
 * A ratio in words: some digits, or that it is infinite.
 * @param {number} ratio
 */
const said = (ratio, digits = 3) => (ratio === Infinity ? "infinite" : general(ratio, digits));

/**
 * What the chapter's rule says of this estimator at this q. Only DReG is compared: the rest is to be guessed.
 * @param {Data} data
 */
function rule({ jack, estimator, alpha, order, rows, of, K, width, largestK }) {
  if (jack) return ruleOfTheJackknife(width, order);
  const ratio = (/** @type {Row} */ row, /** @type {number} */ K) => rows.signalToNoise(row, of, 1, K);
  if (of === "weight") {
    const first = ratio("iwae", 1), last = ratio("iwae", largestK);
    const way = last > first ? "rises" : "falls, against the rule";
    return `IWAE's ratio for the decoder ${way}: ${said(first, 2)} at K = 1, ${said(last, 2)} at K = ${largestK}.`;
  }
  const dreg = ratio("dreg", K), iwae = ratio("iwae", K);
  if (!dreg && !iwae) {
    return "q is right here, there is no signal: IWAE goes on shaking, STL and DReG only where log w is not flat.";
  }
  if (estimator !== "DReG") {
    const [first, last] = [1, largestK].map((K) => {
      const [M, size] = shape(estimator, K);
      return rows.signalToNoise(/** @type {Row} */ (ROWS[estimator]), of, M, size, { alpha });
    });
    return `The ratio of ${estimator}: ${said(first, 2)} at K = 1, ${said(last, 2)} at K = ${largestK}.`;
  }
  const numbers = `${said(dreg)} against ${said(iwae)}`;
  const better = dreg > iwae ? `DReG beats IWAE, ${numbers}` : `DReG is the worse of the two, ${numbers}`;
  if (width > FOUR_MOMENTS) return `${better}; its √K law, for large K, has its moments.`;
  return `${better}; below width 0.87 its √K law lacks a moment, below 0.71 χ² is infinite too.`;
}

/**
 * @param {number} width
 * @param {number} order
 */
function ruleOfTheJackknife(width, order) {
  if (width >= 1) {
    return `The weights have all moments here, and its bias goes like 1/K^${order + 1}, as the rule says.`;
  }
  const tail = 1 / (1 - width ** 2), power = Math.min(order + 1, tail - 1); // P(w > t) goes like t^-tail
  const usual = power === order + 1 ? "as the rule says" : `not 1/K^${order + 1}: the weights have a tail`;
  return `For large K its bias goes like 1/K^${general(power, 2)}, ${usual}.`;
}

/**
 * Words that stay on one line.
 * @param {string} words
 */
const together = (words) => words.replace(/ /g, "\u00a0");

export const estimatorsLab = { compute, numbers, build, update, sentence };
