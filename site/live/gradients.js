// exact.RowGradients for a page: mean and variance of the gradient that each row of the table of objectives gives, on
// the linear Gaussian in one dimension, for any q. In nats per unit of the parameter.

import { logLikelihood, onAGrid, parabola, posterior } from "./linear_gaussian.js";
import { FADED, logGrid, logLaplace, logSumExp, UNSEEN, WeightLaw } from "./weights.js";

/** @import { Model, Moments, Parameter, Row } from "./lab.d.ts" */

const POINTS = 601; // of the grid of q's noise, as in the package

/**
 * At z = mean + std eps: log w, its slope along the path of q's mean, the score, and the slope by the decoder's weight.
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function slopesOf(model, mean, std) {
  const { a, b, c } = parabola(model, mean, std), { mean: m, variance: v } = posterior(model);
  const { weight, noiseVariance, x } = model;
  return {
    logW: (/** @type {number} */ eps) => (c * eps + b) * eps + a,
    path: (/** @type {number} */ eps) => -(mean + std * eps - m) / v + eps / std,
    score: (/** @type {number} */ eps) => eps / std,
    weight: (/** @type {number} */ eps) => {
      const z = mean + std * eps;
      return ((x - weight * z) * z) / noiseVariance;
    },
  };
}

/**
 * exact.ScoreGradient in one dimension: the mean of (log w + constant - baseline) times the score of q's mean, the
 * level E[log w + constant], the best constant baseline, and variances: of one sample with a constant, and K times that
 * of leave-one-out.
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function scoreGradient(model, mean, std, constant = 0) {
  const { a, b, c } = parabola(model, mean, std), level = constant + a + c;
  const variance = (/** @type {number} */ baseline) => {
    const d = level - baseline;
    return (d ** 2 + 4 * c * d + 2 * b ** 2 + 10 * c ** 2) / std ** 2;
  };
  const leaveOneOut = (/** @type {number} */ K) => variance(level) + (2 * b ** 2 + 2 * c ** 2) / (K - 1) / std ** 2;
  return { mean: b / std, level, best: level + 2 * c, variance, leaveOneOut };
}

/**
 * @param {number} n
 * @returns {number}
 */
const factorial = (n) => (n < 2 ? 1 : n * factorial(n - 1));

/**
 * The coefficients of the jackknife; they add up to one.
 * @param {number} K
 * @param {number} order
 */
export function jackknifeCoefficients(K, order) {
  return Array.from(
    { length: order + 1 },
    (_, j) => ((-1) ** j * (K - j) ** order) / (factorial(order - j) * factorial(j)),
  );
}

/**
 * Mean over all subsets of K - j samples, for each order j, of the log of their mean weight and of their weighted mean
 * slope; put together with the coefficients: {value, gradient}. Kept weights are only ever added up.
 * @param {Float64Array} w
 * @param {Float64Array} g
 * @param {number} order
 */
export function jackknife(w, g, order) {
  const K = w.length, tails = [new Float64Array(K + 1), new Float64Array(K + 1)];
  for (let k = K - 1; k >= 0; k--) {
    tails[0][k] = tails[0][k + 1] + w[k];
    tails[1][k] = tails[1][k + 1] + w[k] * g[k];
  }
  let value = 0, gradient = 0;
  jackknifeCoefficients(K, order).forEach((coefficient, j) => {
    let subsets = 0, logs = 0, slopes = 0;
    const leave = (
      /** @type {number} */ left,
      /** @type {number} */ from,
      /** @type {number} */ S,
      /** @type {number} */ G,
    ) => {
      if (left === 0) {
        const sum = S + tails[0][from];
        subsets++;
        logs += Math.log(sum / (K - j));
        slopes += (G + tails[1][from]) / sum;
        return;
      }
      for (let k = from; k <= K - left; k++) {
        leave(left - 1, k + 1, S, G);
        S += w[k];
        G += w[k] * g[k];
      }
    };
    leave(j, 0, 0, 0);
    value += (coefficient * logs) / subsets;
    gradient += (coefficient * slopes) / subsets;
  });
  return { value, gradient };
}

// Exact moments of the sum of w~^r g over K samples: WeightedSum of the package, whose docstring has the integrals.
export class WeightedSum {
  /**
   * @param {Float64Array} logWeights
   * @param {Float64Array} mass
   * @param {Float64Array} g
   * @param {number} r 1 or 2
   */
  constructor(logWeights, mass, g, r = 1) {
    const top = logSumExp(logWeights.map((value, i) => value + Math.log(mass[i])));
    const logW = logWeights.map((value) => value - top), w = logW.map(Math.exp), N = w.length;
    const { logT, volume } = logGrid(logW, [mass]), T = logT.length;
    this.r = r;
    this.volume = volume;
    this.logPhi = logLaplace(logW, mass, logT);
    this.mean = mass.reduce((sum, m, i) => sum + m * g[i], 0);
    this.variance = mass.reduce((sum, m, i) => sum + m * (g[i] - this.mean) ** 2, 0);
    const mg = mass.map((m, i) => m * g[i]), mgg = mg.map((value, i) => value * g[i]);
    this.first = new Float64Array(T);
    this.second = new Float64Array(T);
    this.square = new Float64Array(T);
    this.plain = new Float64Array(T);
    for (let j = 0; j < T; j++) {
      const t = Math.exp(logT[j]);
      let first = 0, second = 0, square = 0, plain = 0;
      for (let i = 0; i < N; i++) {
        const tw = t * w[i];
        if (tw > FADED || mass[i] < UNSEEN) continue;
        const decay = tw < 1e-17 ? 1 : Math.exp(-tw), power = r === 1 ? tw : tw * tw, weighted = power * decay;
        plain += decay * mg[i];
        first += weighted * mg[i];
        square += weighted * mgg[i];
        second += power * weighted * mgg[i];
      }
      this.first[j] = first;
      this.second[j] = second;
      this.square[j] = square;
      this.plain[j] = plain;
    }
  }

  /**
   * Those of beta times the plain mean of K values of g, and 1 - beta times their weighted sum.
   * @param {number} K
   * @returns {Moments}
   */
  moments(K, beta = 0) {
    if (K === 1) return { mean: this.mean, variance: this.variance }; // its weight is 1
    const { r, first, second, square, plain, volume, logPhi } = this;
    let mean = 0, squares = 0, product = 0;
    for (let j = 0; j < volume.length; j++) {
      const others = K > 1 ? Math.exp((K - 1) * logPhi[j]) : 1, rest = K > 2 ? Math.exp((K - 2) * logPhi[j]) : K - 1;
      mean += volume[j] * first[j] * others;
      squares += volume[j] * (second[j] * others + (K - 1) * first[j] ** 2 * rest);
      product += volume[j] * (square[j] * others + (K - 1) * first[j] * plain[j] * rest);
    }
    const [once, twice] = r === 1 ? [1, 1] : [1, 6]; // Gamma(r) and Gamma(2 r)
    mean *= K / once;
    const variance = (1 - beta) ** 2 * ((K * squares) / twice - mean ** 2) + (beta ** 2 * this.variance) / K;
    const covariance = product / once - mean * this.mean;
    return {
      mean: beta * this.mean + (1 - beta) * mean,
      variance: variance + 2 * beta * (1 - beta) * covariance,
    };
  }
}

const ROUNDING = 1e-6; // of a gradient, beside 1 / std of q: what is below is 0

// Every row on one model and q.
export class RowGradients {
  /** @type {Map<string, WeightedSum>} */
  #sums = new Map();
  /** @type {Map<number, WeightLaw>} */
  #laws = new Map();

  /**
   * @param {Model} model
   * @param {number} mean
   * @param {number} std
   */
  constructor(model, mean, std) {
    const { eps, logW, mass } = onAGrid(model, mean, std, POINTS), of = slopesOf(model, mean, std);
    this.model = model;
    this.logP = logLikelihood(model);
    this.mass = mass;
    this.logW = logW;
    this.std = std;
    this.path = { mean: eps.map(of.path), std: eps.map((e) => of.path(e) * e) };
    this.whole = {
      mean: eps.map((e) => of.path(e) - of.score(e)),
      std: eps.map((e) => of.path(e) * e - (e * e - 1) / std),
      weight: eps.map(of.weight),
    };
  }

  /**
   * Mean and variance of one gradient of the row, from M groups of K samples.
   * @param {Row} row
   * @param {Parameter} parameter
   * @param {number} M
   * @param {number} K
   * @param {{ alpha?: number, beta?: number }} [settings]
   * @returns {Moments}
   */
  moments(row, parameter, M, K, { alpha = 0.5, beta = 0.5 } = {}) {
    const bare = parameter !== "weight" && (row === "stl" || row === "dreg"); // without the score term
    const share = { elbo: 1, ciwae: beta }[/** @type {string} */ (row)] ?? Number(row === "vr_iwae" && alpha === 1);
    const tilt = row === "vr_iwae" && alpha < 1 ? 1 - alpha : 1;
    const pooled = ["elbo", "iwae", "stl", "dreg"].includes(row), groups = pooled ? 1 : M;
    const each = this.#sum(parameter, tilt, bare && row === "dreg" ? 2 : 1, bare).moments(pooled ? M * K : K, share);
    return { mean: each.mean, variance: each.variance / groups };
  }

  /**
   * The mean alone, which is known of "jackknife" too.
   * @param {Row | "jackknife"} row
   * @param {Parameter} parameter
   * @param {number} M
   * @param {number} K
   * @param {{ alpha?: number, order?: number }} [settings]
   */
  mean(row, parameter, M, K, { alpha = 0.5, order = 1 } = {}) {
    if (row !== "jackknife") return this.moments(row, parameter, M, K, { alpha }).mean;
    return jackknifeCoefficients(K, order).reduce(
      (sum, c, j) => sum + c * this.moments("iwae", parameter, 1, K - j).mean,
      0,
    );
  }

  /**
   * |mean| / sd of one gradient of the row.
   * @param {Row} row
   * @param {Parameter} parameter
   * @param {number} M
   * @param {number} K
   * @param {{ alpha?: number, beta?: number }} [settings]
   */
  signalToNoise(row, parameter, M, K, settings) {
    return this.ratio(this.moments(row, parameter, M, K, settings));
  }

  /**
   * |mean| / sd, and what rounding leaves of a 0 is 0: no noise is an infinite ratio, no signal is 0, and so is neither
   * of them.
   * @param {Moments} moments
   */
  ratio({ mean, variance }) {
    const [signal, noise] = [Math.abs(mean), Math.sqrt(Math.max(variance, 0))].map((size) =>
      size * this.std > ROUNDING ? size : 0
    );
    return noise ? signal / noise : signal ? Infinity : 0;
  }

  /**
   * The exact expectation of the bound that the row reports, or of the jackknife.
   * @param {Row | "jackknife"} row
   * @param {number} M
   * @param {number} K
   * @param {{ alpha?: number, beta?: number, order?: number }} [settings]
   */
  value(row, M, K, { alpha = 0.5, beta = 0.5, order = 1 } = {}) {
    if (row === "jackknife") {
      return jackknifeCoefficients(K, order).reduce((sum, c, j) => sum + c * this.#value(1, K - j), 0);
    }
    if (row === "ciwae") return beta * this.#value(0, 1) + (1 - beta) * this.#value(1, K);
    if (row === "elbo" || row === "vr_iwae") return this.#value(row === "elbo" ? 0 : 1 - alpha, K);
    return this.#value(1, row === "miwae" ? K : M * K);
  }

  /**
   * The exact gradient of log p(x), which does not know q.
   * @param {Parameter} parameter
   */
  ofLogP(parameter) {
    const { weight, noiseVariance, x } = this.model, variance = weight ** 2 + noiseVariance;
    return parameter !== "weight" ? 0 : weight * ((x / variance) ** 2 - 1 / variance);
  }

  /**
   * @param {Parameter} parameter
   * @param {number} tilt
   * @param {number} r
   * @param {boolean} bare
   */
  #sum(parameter, tilt, r, bare) {
    const g = bare && parameter !== "weight" ? this.path[parameter] : this.whole[parameter];
    const make = () => new WeightedSum(this.logW.map((value) => tilt * value), this.mass, g, r);
    return found(this.#sums, `${parameter} ${tilt} ${r} ${bare}`, make);
  }

  /**
   * E of (1 / tilt) log mean w^tilt, the mean of log w at 0 and at K = 1.
   * @param {number} tilt
   * @param {number} K
   */
  #value(tilt, K) {
    if (tilt === 0 || K === 1) return this.mass.reduce((sum, m, i) => sum + m * this.logW[i], 0);
    const make = () => new WeightLaw(this.logW.map((value) => tilt * value), this.mass);
    return found(this.#laws, tilt, make).lower(K) / tilt;
  }
}

/**
 * What a map has under a key, made at the first asking; a full map is emptied.
 * @template Key, Value
 * @param {Map<Key, Value>} known
 * @param {Key} key
 * @param {() => Value} make
 */
function found(known, key, make) {
  if (!known.has(key)) {
    if (known.size > 60) known.clear();
    known.set(key, make());
  }
  return /** @type {Value} */ (known.get(key));
}
