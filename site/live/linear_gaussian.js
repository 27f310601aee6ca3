// exact.LinearGaussian in one dimension: z ~ N(0, 1), x | z ~ N(weight z, noiseVariance), q = N(mean, std^2).
// A model is {weight, noiseVariance, x}. Everything is in nats.

/** @import { Model } from "./lab.d.ts" */

const LOG_TAU = Math.log(2 * Math.PI);

/**
 * @param {number} x
 * @param {number} mean
 * @param {number} variance
 */
export const logNormal = (x, mean, variance) => -0.5 * ((x - mean) ** 2 / variance + Math.log(variance) + LOG_TAU);

/**
 * The density, to be drawn.
 * @param {number} z
 * @param {number} mean
 * @param {number} std
 */
export const normal = (z, mean, std) => Math.exp(logNormal(z, mean, std ** 2));

/**
 * p(z | x), exactly: {mean, variance}.
 * @param {Model} model
 */
export function posterior({ weight, noiseVariance, x }) {
  const variance = 1 / (1 + weight ** 2 / noiseVariance);
  return { mean: ((variance * weight) / noiseVariance) * x, variance };
}

/**
 * A q that is `width` times as wide as the posterior, with its mean `shift` beside it: {mean, std}.
 * @param {Model} model
 * @param {number} width
 * @param {number} shift
 */
export function beside(model, width, shift) {
  const { mean, variance } = posterior(model);
  return { mean: mean + shift, std: width * Math.sqrt(variance) };
}

/** @param {Model} model */
export const logLikelihood = ({ weight, noiseVariance, x }) => logNormal(x, 0, weight ** 2 + noiseVariance);

/**
 * KL(N(mean, std^2) || N(m, v)).
 * @param {number} mean
 * @param {number} std
 * @param {number} m
 * @param {number} v
 */
export const klOfNormals = (mean, std, m, v) =>
  0.5 *
  ((std ** 2 + (mean - m) ** 2) / v - 1 + Math.log(v) - 2 * Math.log(std));

/**
 * KL(q || posterior).
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function kl(model, mean, std) {
  const { mean: m, variance: v } = posterior(model);
  return klOfNormals(mean, std, m, v);
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
  return Math.expm1(
    Math.log(std / v) - 0.5 * Math.log(a) +
      0.5 * pull ** 2 * (1 + 1 / (std ** 2 * a)),
  );
}

/**
 * log w = a + b eps + c eps^2 at z = mean + std eps: {a, b, c}.
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 */
export function parabola(model, mean, std) {
  const { mean: m, variance: v } = posterior(model), d = mean - m;
  return {
    a: logLikelihood(model) - 0.5 * (d ** 2 / v + Math.log(v)) + Math.log(std),
    b: (-d * std) / v,
    c: 0.5 * (1 - std ** 2 / v),
  };
}

/**
 * Standard noise on a grid; z, log w and the mass of q there: each [N]. Wider where the posterior is wider than q.
 * @param {Model} model
 * @param {number} mean
 * @param {number} std
 * @param {number} N
 */
export function onAGrid(model, mean, std, N) {
  const reach = Math.min(
    9 * Math.max(1, Math.sqrt(posterior(model).variance) / std),
    30,
  );
  const step = (2 * reach) / (N - 1), { a, b, c } = parabola(model, mean, std);
  const eps = Float64Array.from({ length: N }, (_, i) => -reach + step * i);
  return {
    eps,
    z: eps.map((e) => mean + std * e),
    logW: eps.map((e) => (c * e + b) * e + a),
    mass: eps.map((e) => normal(e, 0, 1) * step),
  };
}
