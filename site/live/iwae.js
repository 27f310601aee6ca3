// The numbers of lab "03.iwae": vaecourse/labs/quadrature.py and exact.LinearGaussian in one dimension, for a page.
// A model is {weight, noiseVariance, x}: z ~ N(0, 1), x | z ~ N(weight z, noiseVariance). Everything is in nats.

/** @import { Model } from "./lab.d.ts" */

const LOG_TAU = Math.log(2 * Math.PI);
const STEP = 0.25; // of log t
const UNSEEN = 1e-20; // mass that changes no digit of a number that is near 1
const TAIL = 45; // e^-45 is 3e-20

/**
 * @param {number} x
 * @param {number} mean
 * @param {number} variance
 */
const logNormal = (x, mean, variance) => -0.5 * ((x - mean) ** 2 / variance + Math.log(variance) + LOG_TAU);

/**
 * p(z | x), exactly: {mean, variance}.
 * @param {Model} model
 */
export function posterior({ weight, noiseVariance, x }) {
  const variance = 1 / (1 + weight ** 2 / noiseVariance);
  return { mean: ((variance * weight) / noiseVariance) * x, variance };
}

/** @param {Model} model */
export const logLikelihood = ({ weight, noiseVariance, x }) => logNormal(x, 0, weight ** 2 + noiseVariance);

/**
 * KL(q || posterior) of q = N(mean, std^2).
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function kl(model, mean, std) {
  const { mean: m, variance: v } = posterior(model);
  return 0.5 * ((std ** 2 + (mean - m) ** 2) / v - 1 + Math.log(v) - 2 * Math.log(std));
}

/**
 * chi^2(posterior || q): infinite unless std^2 > v / 2. With a = 2/v - 1/std^2 and d = mean - m,
 * 1 + chi^2 = std / (v sqrt(a)) exp((d^2 / std^2 + d^2 / (std^4 a)) / 2).
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function chiSquared(model, mean, std) {
  const { mean: m, variance: v } = posterior(model);
  const a = 2 / v - std ** -2, pull = (mean - m) / std;
  if (a <= 0) return Infinity;
  return Math.expm1(Math.log(std / v) - 0.5 * Math.log(a) + 0.5 * pull ** 2 * (1 + 1 / (std ** 2 * a)));
}

/**
 * Standard noise on a grid; z, log w and the mass of q there: each [N]. Wider where the posterior is wider than q.
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 * @param {number} N
 */
export function onAGrid(model, mean, std, N) {
  const reach = Math.min(9 * Math.max(1, Math.sqrt(posterior(model).variance) / std), 30);
  const step = (2 * reach) / (N - 1);
  const z = new Float64Array(N), logW = new Float64Array(N), mass = new Float64Array(N);
  for (let i = 0; i < N; i++) {
    const eps = -reach + step * i;
    z[i] = mean + std * eps;
    const logJoint = logNormal(z[i], 0, 1) + logNormal(model.x, model.weight * z[i], model.noiseVariance);
    logW[i] = logJoint - logNormal(eps, 0, 1) + Math.log(std);
    mass[i] = Math.exp(logNormal(eps, 0, 1)) * step;
  }
  return { z, logW, mass };
}

// The law of one weight, given on a grid, and two exact statements about K draws from it: as WeightLaw in the package.
export class WeightLaw {
  /**
   * @param {Float64Array} logW
   * @param {Float64Array} mass
   */
  constructor(logW, mass) {
    this.mass = mass;
    this.logMean = logSumExp(logW.map((value, i) => value + Math.log(mass[i])));
    this.logW = logW.map((value) => value - this.logMean);
    const common = this.logW.filter((_, i) => mass[i] > 1e-15);
    const low = -Math.max(Math.max(...common), 0) - TAIL, high = -Math.min(Math.min(...common), 0) + 6;
    this.logT = Float64Array.from({ length: Math.ceil((high - low) / STEP) }, (_, j) => low + STEP * j);
    this.logPhi = this.logT.map((logT) => this.logLaplace(logT));
  }

  /**
   * log E exp(-t w): what is lost from 1 is summed, which is exact when it is tiny.
   * @param {number} logT
   */
  logLaplace(logT) {
    let lost = 0;
    for (let i = 0; i < this.mass.length; i++) {
      if (this.mass[i] < UNSEEN) continue;
      const exponent = this.logW[i] + logT;
      lost += this.mass[i] *
        (exponent > 4 ? 1 : exponent < -TAIL ? Math.exp(exponent) : -Math.expm1(-Math.exp(exponent)));
    }
    return Math.log1p(-Math.min(lost, 1));
  }

  /**
   * E log((w_1 + ... + w_K) / K): the integral of (e^-t - phi(t/K)^K) / t, a trapezoid in log t.
   * @param {number} K
   */
  expectedLogMean(K) {
    const logK = Math.log(K);
    let sum = 0;
    this.logT.forEach((logT, j) => (sum += Math.exp(-Math.exp(logT + logK)) - Math.exp(K * this.logPhi[j])));
    return this.logMean + STEP * sum;
  }

  /**
   * The mass, on the grid, of one z picked from K draws by its weight: q K times the integral of
   * w e^(-tw) phi(t)^(K-1).
   * @param {number} K
   */
  impliedPosterior(K) {
    const others = this.logPhi.map((logPhi) => (K === 1 ? 1 : Math.exp((K - 1) * logPhi)));
    const first = this.logT[0];
    return this.mass.map((mass, i) => {
      if (mass < UNSEEN) return 0;
      const [from, to] = [-TAIL, 4].map((exponent) => Math.round((exponent - this.logW[i] - first) / STEP));
      let sum = 0;
      for (let j = Math.max(from, 0); j < Math.min(to, others.length); j++) {
        if (others[j] < UNSEEN) break; // phi falls with t
        const tw = Math.exp(this.logT[j] + this.logW[i]);
        sum += tw * Math.exp(-tw) * others[j];
      }
      return mass * K * sum * STEP;
    });
  }
}

/** @param {Float64Array} values */
function logSumExp(values) {
  const top = Math.max(...values);
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
