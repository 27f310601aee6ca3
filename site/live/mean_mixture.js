// exact.MeanMixture and exact.Ratio for a page: psi_d ~ N(0, spread^2), z_d | psi_d ~ N(psi_d, noise^2), and the law of
// the ratio q(z, psi) / (tau(psi | z) q(z)) for tau = N(slope z, std^2). Everything is in nats.

import { logNormal } from "./linear_gaussian.js";
import { WeightLaw } from "./weights.js";

/** @import { Mixture, Ratio, Rule } from "./lab.d.ts" */

const PANEL = 0.25; // of the rule along the distance
const LOG_LEAST = Math.log(1e-300); // of a Bessel function in the package

/**
 * The posterior is N(slope z, std^2) in each dimension.
 * @param {Mixture} law
 */
export function posterior({ spread, noise }) {
  const slope = spread ** 2 / (spread ** 2 + noise ** 2);
  return { slope, std: noise * Math.sqrt(slope) };
}

/**
 * log q(z) with every z_d alike.
 * @param {Mixture} law
 * @param {number} dim
 * @param {number} z
 */
export const logProb = ({ spread, noise }, dim, z) => dim * logNormal(z, 0, spread ** 2 + noise ** 2);

/**
 * chi^2(q(psi | z) || tau), infinite unless 2 std^2 is above the posterior's variance.
 * @param {Mixture} law
 * @param {number} dim
 * @param {number} z
 * @param {{ slope: number, std: number }} tau
 */
export function chiSquared(law, dim, z, { slope, std }) {
  const exact = posterior(law), t = std ** 2, v = exact.std ** 2;
  if (2 * t <= v) return Infinity;
  const offset = dim * ((slope - exact.slope) * z) ** 2;
  return Math.expm1(dim * Math.log(t / Math.sqrt(v * (2 * t - v))) + offset / (2 * t - v));
}

/**
 * log r = top - bend d^2, d the distance of eps from a point that lies `away` from 0.
 * @param {Mixture} law
 * @param {number} dim
 * @param {number} z
 * @param {{ slope: number, std: number }} tau
 * @returns {Ratio}
 */
export function ratio(law, dim, z, { slope, std }) {
  const exact = posterior(law), t = std ** 2, v = exact.std ** 2, offset = Math.abs(exact.slope - slope) * z;
  if (t <= v) throw new Error(`std must be above the posterior's ${exact.std}, got ${std}.`);
  const away = (Math.sqrt(dim) * offset * std) / (t - v);
  return {
    dim,
    top: dim * (0.5 * Math.log(t / v) + offset ** 2 / (2 * (t - v))),
    bend: (t - v) / (2 * v),
    away,
    posteriorAway: (away * v) / t,
    narrow: Math.sqrt(v / t),
  };
}

/**
 * The law of r: d is noncentral chi, whose density is d (d / away)^nu e^(-(d^2 + away^2) / 2) I_nu(away d) with
 * nu = dim / 2 - 1. `rule` is Gauss and Legendre's on [-1, 1].
 * @param {Ratio} ratio
 * @param {Rule} rule
 */
export function lawOf({ dim, top, bend, away: far, posteriorAway }, { nodes, weights }) {
  const order = 0.5 * dim - 1, away = Math.max(far, 1e-6);
  const low = Math.max(0, posteriorAway - 9), high = far + Math.sqrt(dim) + 9;
  const panels = Math.ceil((high - low) / PANEL), width = (high - low) / panels, N = panels * nodes.length;
  const logR = new Float64Array(N), mass = new Float64Array(N);
  for (let i = 0; i < N; i++) {
    const node = i % nodes.length, panel = (i - node) / nodes.length;
    const d = low + width * (panel + 0.5 * (nodes[node] + 1));
    const logDensity = -0.5 * (d - away) ** 2 + (order + 1) * Math.log(d) - order * Math.log(away);
    logR[i] = top - bend * d ** 2;
    mass[i] = Math.exp(logDensity + Math.max(logScaledBessel(order, away * d), LOG_LEAST)) * 0.5 * width *
      weights[node];
  }
  return new WeightLaw(logR, mass, { step: 0.5, reach: 32, both: true });
}

/**
 * log (I_order(x) e^-x) for an order that is a half of a whole number from -1 on: its power series, whose terms are all
 * positive, or, where that would be long, Hankel's for a large x.
 * @param {number} order
 * @param {number} x
 */
export function logScaledBessel(order, x) {
  if (x > Math.max(30, (order * order) / 4)) {
    let term = 1, sum = 1;
    for (let k = 1; k < 2 * x && Math.abs(term) > 1e-17; k++) {
      term *= -(4 * order * order - (2 * k - 1) ** 2) / (8 * k * x);
      sum += term;
    }
    return Math.log(sum) - 0.5 * Math.log(2 * Math.PI * x);
  }
  let term = 1, sum = 1;
  for (let k = 1; term > 1e-17 * sum; k++) {
    term *= (0.25 * x * x) / (k * (k + order));
    sum += term;
  }
  return order * Math.log(0.5 * x) - logGamma(order + 1) - x + Math.log(sum);
}

/**
 * log Gamma of a half of a whole number from 1 on.
 * @param {number} a
 */
function logGamma(a) {
  let found = a % 1 === 0 ? 0 : 0.5 * Math.log(Math.PI);
  for (let at = a % 1 === 0 ? 1 : 0.5; at < a; at++) found += Math.log(at);
  return found;
}

/**
 * (slope, std) of tau after 0, 1, ... steps down the mean of U_0, from the prior.
 * @param {Mixture} law
 * @param {number} steps
 */
export function learningPath({ spread, noise }, steps, learningRate = 0.02) {
  const s2 = spread ** 2, r2 = noise ** 2, path = [];
  let slope = 0, logStd = Math.log(spread);
  for (let step = 0; step <= steps; step++) {
    path.push({ slope, std: Math.exp(logStd) });
    const t2 = Math.exp(2 * logStd), residual = s2 - 2 * slope * s2 + slope ** 2 * (s2 + r2);
    const [bySlope, byLogStd] = [(slope * (s2 + r2) - s2) / t2, 1 - residual / t2];
    slope -= learningRate * bySlope;
    logStd -= learningRate * byLogStd;
  }
  return path;
}
