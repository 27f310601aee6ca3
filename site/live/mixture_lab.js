// Lab "07.bounds" on a page: vaecourse/labs/hierarchical.py, with the same draws for the same seed.

import { normal } from "./linear_gaussian.js";
import { chiSquared, lawOf, learningPath, logProb, posterior, ratio } from "./mean_mixture.js";
import { generator } from "./numpy_noise.js";
import { Axes, steps } from "./chart.js";
import { fixed, percent } from "./frame.js";
import { histogram } from "./stats.js";
import { remembered } from "./noise.js";

/** @import { Mixture, Ratio, Rule } from "./lab.d.ts" */
/** @typedef {{ law: Mixture, rule: Rule, allK: number[], prior: string, posterior: string, most: number }} Facts */
/** @typedef {{ K: number, tau: string, steps: number, dim: number, z: number, seed: number }} Settings */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const RUNS = 200, FURTHEST = 300, HIGHEST = 0.3; // of runs, in nats from the exact value, of a bar
const PSI = steps(-7, 9, 161);
const OUTWARD = steps(0.1, 100, 25, true);
const EDGES = [...OUTWARD.slice(1).reverse().map((edge) => -edge), ...steps(-0.1, 0.1, 13), ...OUTWARD.slice(1)];

/**
 * @param {Settings} settings
 * @param {Facts} facts
 */
function compute({ K, tau: name, steps, dim, z: inSds, seed }, facts) {
  const { law } = facts, z = inSds * Math.hypot(law.spread, law.noise), exact = posterior(law);
  const known = name === facts.prior ? { slope: 0, std: law.spread } : name === facts.posterior ? exact : undefined;
  const tau = known ?? learned(law, facts.most)[steps], soFar = [...facts.allK.filter((k) => k < K), K];
  const found = tau === exact ? flat(soFar) : bounds(ratio(law, dim, z, tau), soFar, seed, facts.rule);
  return {
    K,
    dim,
    name: known ? name : `learned for ${steps} step${steps === 1 ? "" : "s"}`,
    logQ: logProb(law, dim, z),
    chiSquared: Math.max(chiSquared(law, dim, z, tau), 0),
    soFar,
    spread: law.spread,
    tau: PSI.map((psi) => normal(psi, tau.slope * z, tau.std)),
    posterior: PSI.map((psi) => normal(psi, exact.slope * z, exact.std)),
    ...found,
  };
}

const learned = remembered((/** @type {Mixture} */ law, /** @type {number} */ most) => learningPath(law, most));

/**
 * Where tau is the posterior, every draw of either bound is log q(z).
 * @param {number[]} soFar
 */
function flat(soFar) {
  const zeros = soFar.map(() => 0), runs = new Float64Array(RUNS), most = soFar[soFar.length - 1];
  return {
    upper: zeros,
    lower: soFar.map((k) => (k ? 0 : NaN)),
    upperRuns: runs,
    lowerRuns: most ? runs : runs.slice(0, 0),
  };
}

/** @type {{ key: string, law: import("./weights.js").WeightLaw } | undefined} */
let last;

/**
 * Exact expectations along K, and single bounds at the last one, in nats from log q(z).
 * @param {Ratio} of
 * @param {number[]} soFar
 * @param {number} seed
 * @param {Rule} rule
 */
function bounds(of, soFar, seed, rule) {
  const key = JSON.stringify(of);
  if (last?.key !== key) last = { key, law: lawOf(of, rule) };
  const { law } = last;
  return {
    upper: soFar.map((k) => law.upper(k)),
    lower: soFar.map((k) => (k ? law.lower(k) : NaN)),
    ...singles(of, soFar[soFar.length - 1], seed),
  };
}

/**
 * RUNS single U_K, and L_K of the same draws without psi_0, which comes from the posterior.
 * @param {Ratio} ratio
 * @param {number} K
 * @param {number} seed
 */
function singles({ dim, top, bend, away, posteriorAway, narrow }, K, seed) {
  const { along, across } = noise(seed, dim, K), upperRuns = new Float64Array(RUNS);
  const lowerRuns = new Float64Array(K ? RUNS : 0);
  for (let run = 0; run < RUNS; run++) {
    const first = (posteriorAway - narrow * along[run]) ** 2 + narrow ** 2 * across[run];
    let nearest = Infinity;
    for (let i = run + RUNS; i <= run + K * RUNS; i += RUNS) {
      nearest = Math.min(nearest, (away - along[i]) ** 2 + across[i]);
    }
    let sum = 0;
    for (let i = run + RUNS; i <= run + K * RUNS; i += RUNS) {
      sum += Math.exp(bend * (nearest - ((away - along[i]) ** 2 + across[i])));
    }
    if (K) lowerRuns[run] = top - bend * nearest + Math.log(sum / K);
    const least = Math.min(first, nearest), others = K ? sum * Math.exp(bend * (least - nearest)) : 0;
    upperRuns[run] = top - bend * least + Math.log((Math.exp(bend * (least - first)) + others) / (K + 1));
  }
  return { upperRuns, lowerRuns };
}

// Numbers that are kept, and drawn on when more of them are asked for.
class Stream {
  /** @param {() => number} next */
  constructor(next) {
    this.next = next;
    this.found = new Float32Array(0);
  }

  /** @param {number} count */
  first(count) {
    const { length } = this.found;
    if (length < count) {
      const longer = new Float32Array(count);
      longer.set(this.found);
      for (let i = length; i < count; i++) longer[i] = this.next();
      this.found = longer;
    }
    return this.found;
  }
}

const alongOf = remembered((/** @type {number} */ seed) => new Stream(generator([seed, 0]).normal));
const acrossOf = remembered((/** @type {number} */ seed, /** @type {number} */ dim) => {
  const { gamma } = generator([seed, 1]);
  return new Stream(() => 2 * gamma(0.5 * (dim - 1))); // the squared length of dim - 1 normal numbers
}, 4);

/**
 * @param {number} seed
 * @param {number} dim
 * @param {number} K
 */
function noise(seed, dim, K) {
  const count = (K + 1) * RUNS;
  return { along: alongOf(seed).first(count), across: acrossOf(seed, dim).first(count) };
}

/** @param {Data} data */
const numbers = ({ K, logQ, chiSquared, upper, lower, upperRuns, lowerRuns }) => ({
  log_q: logQ,
  chi_squared: chiSquared,
  upper: upper[upper.length - 1],
  first_upper_run: upperRuns[0],
  ...(K ? { lower: lower[lower.length - 1], first_lower_run: lowerRuns[0] } : {}),
});

/** @param {HTMLElement} figure */
function build(figure) {
  const curve = new Axes(figure, {
    width: 430,
    height: 410,
    x: { from: -0.25, to: 1300, linear: 1, ticks: [0, 1, 10, 100, 1000], label: "draws K of tau (log scale)" },
    y: {
      from: -FURTHEST,
      to: FURTHEST,
      linear: 0.1,
      ticks: [-100, -10, -1, -0.1, 0, 0.1, 1, 10, 100],
      label: "nats from log q(z) (log scale)",
    },
    key: {
      "exact log q(z)": "live-exact",
      "exact E[U_K]": "live-upper",
      "exact E[L_K]": "live-iwae",
      "their midpoint": "live-prior live-dotted",
    },
  });
  const density = new Axes(figure, {
    x: { from: PSI[0], to: PSI[PSI.length - 1], ticks: [-5, 0, 5], label: "ψ, one dimension of it" },
    y: { from: 0, to: 0.5 },
    key: { prior: "live-prior live-thin", tau: "live-q live-thick", posterior: "live-exact" },
  });
  const runs = new Axes(figure, {
    x: {
      from: EDGES[0],
      to: EDGES[EDGES.length - 1],
      linear: 0.1,
      ticks: [-10, -1, 0, 1, 10],
      label: "nats from log q(z) (log scale)",
    },
    y: { from: 0, to: HIGHEST },
    key: { "single L_K": "live-iwae live-area", "single U_K": "live-upper" },
  });
  const marks = {
    prior: density.mark("live-prior live-thin"),
    truth: curve.mark("live-exact"),
    middle: curve.mark("live-prior live-dotted"),
    upper: curve.mark("live-upper"),
    lower: curve.mark("live-iwae"),
    upperDot: curve.mark("live-upper live-big live-dot"),
    lowerDot: curve.mark("live-iwae live-big live-dot"),
    tau: density.mark("live-q live-thick"),
    posterior: density.mark("live-exact"),
    lowerBars: runs.mark("live-iwae live-area"),
    upperBars: runs.mark("live-upper"),
  };
  curve.horizontal(marks.truth, 0);
  runs.vertical(runs.mark("live-exact"), 0);
  return { curve, density, runs, ...marks };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ curve, density, runs, ...marks }, data) {
  const { K, soFar } = data, last = soFar.length - 1; // what lies ahead is the reader's to predict
  const lower = data.lower.map((value) => Math.max(value, -FURTHEST));
  const upper = data.upper.map((value) => Math.min(value, FURTHEST));
  curve.line(marks.upper, soFar, upper);
  curve.line(marks.lower, soFar, lower);
  curve.line(marks.middle, soFar, data.upper.map((value, i) => 0.5 * (value + lower[i])));
  curve.dots(marks.upperDot, [[K, upper[last]]]);
  curve.dots(marks.lowerDot, K ? [[K, lower[last]]] : []);
  density.line(marks.prior, PSI, PSI.map((psi) => normal(psi, 0, data.spread)));
  density.line(marks.tau, PSI, data.tau);
  density.line(marks.posterior, PSI, data.posterior);
  runs.bars(marks.lowerBars, EDGES, bars(data.lowerRuns));
  runs.bars(marks.upperBars, EDGES, bars(data.upperRuns));
}

/** @param {Float64Array} runs */
const bars = (runs) => histogram(runs, EDGES, true).map((share) => Math.min((share * runs.length) / RUNS, HIGHEST));

/** @param {Data} data */
function sentence({ K, dim, name, logQ, chiSquared, upper, lower, upperRuns }) {
  const law = chiSquared / (2 * (K + 1)), last = upper.length - 1;
  const rate = law > 1 ? "χ²/(2(K+1)) is above 1: too early for the law" : `χ²/(2(K+1)) says ${law.toFixed(3)}`;
  const below = K ? `E[L_K] is ${fixed(Math.abs(lower[last]), 3)} below` : "without draws of tau there is no L_K";
  const share = upperRuns.filter((value) => value < -1e-12).length / RUNS;
  return (
    `K = ${K}, tau: ${name}, ${dim} dimension${dim === 1 ? "" : "s"}: log q(z) = ${fixed(logQ, 3)} nats. ` +
    `E[U_K] is ${fixed(Math.abs(upper[last]), 3)} above it (${rate}), ${below}. ` +
    `${percent(share)} of the single U_K are below log q(z).`
  );
}

export const mixtureLab = { compute, numbers, build, update, sentence };
