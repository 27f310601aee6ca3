// exact.exploding_latent_space for a page: two data points, -1 and 1, a decoder N(sign z, s^2) and an encoder
// N(x, tau^2), with s = e^(-1 / (8 tau^2)). Everything is in nats.

import { logNormal, normal } from "./linear_gaussian.js";
import { softplus } from "./weights.js";

/**
 * log Phi(-x) for x > 0: a series of positive terms near 0, and further out a continued fraction.
 * @param {number} x
 */
export function logTail(x) {
  if (x < 2.5) {
    let term = x, sum = x;
    for (let n = 1; term > 1e-17 * sum; n++) {
      term *= (x * x) / (2 * n + 1);
      sum += term;
    }
    return Math.log(0.5 - normal(x, 0, 1) * sum);
  }
  let below = x;
  for (let n = 80; n > 0; n--) below = x + n / below;
  return logNormal(x, 0, 1) - Math.log(below);
}

/**
 * Every term of the toy at one width tau; the mutual information by quadrature. s is never below the least noise.
 * @param {number} tau
 */
export function exploding(tau, leastNoise = 0) {
  let logPrecision = 1 / (4 * tau ** 2); // log of 1 / s^2
  if (leastNoise > 0) logPrecision = Math.min(logPrecision, -2 * Math.log(leastNoise));
  const miss = Math.exp(logTail(1 / tau) + logPrecision); // the chance of the wrong side, over s^2
  const scale = 0.5 * logPrecision - 0.5 * Math.log(2 * Math.PI);
  const reconstruction = scale - 2 * miss, rate = 0.5 * tau ** 2 - Math.log(tau);
  const otherSide = Math.log1p(Math.exp(-2 * Math.exp(logPrecision)));
  const mutualInformation = information(tau);
  return {
    elbo: reconstruction - rate,
    reconstruction,
    rate,
    logLikelihood: scale - Math.log(2) + otherSide,
    posteriorKl: 2 * miss + rate - Math.log(2) + otherSide,
    mutualInformation,
    aggregateKl: rate - mutualInformation,
  };
}

/**
 * I(x; z) = log 2 - E log(1 + e^(-2 z / tau^2)) given x = 1, a trapezoid as in the package.
 * @param {number} tau
 */
function information(tau) {
  const step = 0.02;
  let lost = 0;
  for (let i = 0; i <= 1000; i++) {
    const eps = -10 + step * i, end = i === 0 || i === 1000 ? 0.5 : 1;
    lost += end * step * normal(eps, 0, 1) * softplus((-2 * (1 + tau * eps)) / tau ** 2);
  }
  return Math.log(2) - lost;
}
