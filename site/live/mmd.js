// The numbers of lab "06.mmd": vaecourse/divergences and exact.gaussian_mmd2 for a page. Clouds are rows of d numbers
// in one Float64Array; a kernel is a profile, a function of a squared distance r with its slope dk/dr.

import { normals, remembered, uniforms, UNITS } from "./noise.js";

/** @import { Profile } from "./lab.d.ts" */

export const RBF = "RBF";
export const IMQ = "IMQ";
export const MANY = "IMQ, seven scales";
export const BLIND = "RBF / d²";
const SCALES = [0.1, 0.2, 0.5, 1, 2, 5, 10]; // of arXiv 1711.01558, times the kernel's own
const LARGEST_N = 200, LARGEST_D = 128, PERMUTATIONS = 300;
const ROWS = LARGEST_N + 1; // of noise for each cloud

// Kernels -------------------------------------------------------------------------------------------------------------

/**
 * {k, slope, mean}: the kernel, its derivative, and its mean over a Gaussian difference of two points.
 * @param {string} name
 * @param {number} h
 * @param {number} d
 * @returns {Profile}
 */
export function profile(name, h, d) {
  if (name === RBF) return gaussian(h);
  if (name === BLIND) return gaussian(d * h);
  const parts = (name === MANY ? SCALES : [1]).map((s) => 2 * h ** 2 * s), share = 1 / parts.length;
  return {
    k: (r) => {
      let sum = 0;
      for (let i = 0; i < parts.length; i++) sum += parts[i] / (parts[i] + r);
      return share * sum;
    },
    slope: (r) => -share * parts.reduce((sum, C) => sum + C / (C + r) ** 2, 0),
    mean: (variances, offset) => share * parts.reduce((sum, C) => sum + mixture(C, variances, offset), 0),
  };
}

/**
 * @param {number} h
 * @returns {Profile}
 */
function gaussian(h) {
  return {
    k: (r) => Math.exp(r / (-2 * h ** 2)),
    slope: (r) => Math.exp(r / (-2 * h ** 2)) / (-2 * h ** 2),
    mean: (variances, offset) => meanOfGaussian(h ** 2, variances, offset),
  };
}

/**
 * E k of an RBF kernel of squared bandwidth h2 where the difference of two points is N(offset e_1, variance I), d-dim.
 * @param {number} h2
 * @param {{ variance: number, d: number }} difference
 * @param {number} offset
 */
function meanOfGaussian(h2, { variance, d }, offset) {
  return Math.exp(-0.5 * (d * Math.log1p(variance / h2) + offset ** 2 / (h2 + variance)));
}

/**
 * C / (C + r) is the integral of e^-t e^(-t r / C): equal steps of log t, as in exact.gaussian_mmd2.
 * @param {number} C
 * @param {{ variance: number, d: number }} variances
 * @param {number} offset
 */
function mixture(C, variances, offset) {
  const step = 0.2;
  let sum = 0;
  for (let logT = -50; logT < 4.3; logT += step) {
    const t = Math.exp(logT);
    sum += step * t * Math.exp(-t) * meanOfGaussian((0.5 * C) / t, variances, offset);
  }
  return sum;
}

/**
 * Exact MMD^2 of N(0, I) and N(shift e_1, spread^2 I) in d dimensions.
 * @param {Pick<Profile, "mean">} profile
 * @param {number} d
 * @param {number} shift
 * @param {number} spread
 */
export function exactMmd2({ mean }, d, shift, spread) {
  const apart = (/** @type {number} */ variance, /** @type {number} */ offset) => mean({ variance, d }, offset);
  return apart(2, 0) + apart(2 * spread ** 2, 0) - 2 * apart(1 + spread ** 2, shift);
}

// Clouds --------------------------------------------------------------------------------------------------------------

/**
 * The prior's n points, then the n codes: `pooled` [2n, d]; `r`, the squared distances of all pairs [2n, 2n]; and where
 * the drawn plane lies in the other coordinates, those of one more draw of the prior: `elsewhere` [d].
 * @param {{ n: number, d: number, shift: number, spread: number, seed: number }} settings
 */
export function clouds({ n, d, shift, spread, seed }) {
  const noise = noiseOf(seed), products = productsOf(seed, d, n), P = 2 * n;
  const first = (/** @type {number} */ i) => noise[rowOf(i, n)];
  const scale = (/** @type {number} */ i) => (i < n ? 1 : spread);
  const pooled = new Float64Array(P * d), r = new Float64Array(P * P);
  for (let i = 0; i < P; i++) {
    for (let j = 0; j < d; j++) pooled[i * d + j] = scale(i) * noise[rowOf(i, n) + j];
    if (i >= n) pooled[i * d] += shift;
  }
  // |a e + m - b f|^2 = a^2 |e|^2 + b^2 |f|^2 - 2ab e.f + m^2 + 2m (a e_1 - b f_1), m along the first axis.
  for (let i = 0; i < P; i++) {
    for (let j = 0; j < i; j++) {
      const [a, b] = [scale(i), scale(j)], m = i >= n && j < n ? shift : 0;
      const apart = a * a * products[i * P + i] + b * b * products[j * P + j] - 2 * a * b * products[i * P + j];
      const along = m * (m + 2 * (a * first(i) - b * first(j)));
      r[i * P + j] = r[j * P + i] = Math.max(apart + along, 0);
    }
  }
  return { pooled, r, elsewhere: noise.slice(LARGEST_N * LARGEST_D, LARGEST_N * LARGEST_D + d) };
}

const noiseOf = remembered((/** @type {number} */ seed) => normals(2 * ROWS * LARGEST_D, 1 + seed));

// Where the noise of point i begins: the prior's n points, then the codes.
const rowOf = (/** @type {number} */ i, /** @type {number} */ n) => (i < n ? i : ROWS + i - n) * LARGEST_D;

// The inner products of all pairs' noise, which serve every shift and spread: [2n, 2n].
const productsOf = remembered((/** @type {number} */ seed, /** @type {number} */ d, /** @type {number} */ n) => {
  const noise = noiseOf(seed), P = 2 * n, found = new Float64Array(P * P);
  for (let i = 0; i < P; i++) {
    for (let j = 0; j <= i; j++) {
      const a = rowOf(i, n), b = rowOf(j, n);
      let even = 0, odd = 0, k = 0; // two sums that need not wait for each other
      for (; k + 1 < d; k += 2) {
        even += noise[a + k] * noise[b + k];
        odd += noise[a + k + 1] * noise[b + k + 1];
      }
      if (k < d) even += noise[a + k] * noise[b + k];
      found[i * P + j] = found[j * P + i] = even + odd;
    }
  }
  return found;
});

/**
 * The kernel of all pairs: [P, P].
 * @param {Float64Array} r
 * @param {(r: number) => number} k
 */
export function kernelMatrix(r, k) {
  const P = Math.sqrt(r.length), found = new Float64Array(P * P);
  for (let i = 0; i < P; i++) for (let j = 0; j <= i; j++) found[i * P + j] = found[j * P + i] = k(r[i * P + j]);
  return found;
}

// Statistics ----------------------------------------------------------------------------------------------------------

/**
 * Sums of k over the pairs i != j inside the first half, inside the second, and over the n^2 pairs across.
 * @param {Float64Array} k
 * @param {number} n
 */
function sums(k, n) {
  const P = 2 * n, found = { first: 0, second: 0, across: 0 };
  for (let i = 0; i < P; i++) {
    for (let j = 0; j < i; j++) {
      if (i < n) found.first += 2 * k[i * P + j];
      else if (j >= n) found.second += 2 * k[i * P + j];
      else found.across += k[i * P + j];
    }
  }
  return found;
}

/**
 * MMD^2's two estimates from the kernel matrix of the pooled clouds; k(x, x) = 1.
 * @param {Float64Array} k
 * @param {number} n
 */
export function mmd2(k, n) {
  const { first, second, across } = sums(k, n);
  return {
    U: (first + second) / (n * (n - 1)) - (2 * across) / n ** 2,
    V: (first + second + 2 * n - 2 * across) / n ** 2,
  };
}

/**
 * U for clouds whose labels were shuffled, as the lab shuffles them: [PERMUTATIONS].
 * @param {Float64Array} k
 * @param {number} n
 * @param {number} seed
 */
export function nullDistribution(k, n, seed) {
  const P = 2 * n, rows = new Float64Array(P);
  for (let i = 0; i < P; i++) for (let j = 0; j < P; j++) if (i !== j) rows[i] += k[i * P + j];
  const total = rows.reduce((sum, row) => sum + row, 0);
  return Float64Array.from(partings(n, seed), (half) => {
    let even = 0, odd = 0, from = 0; // the first half's pairs, in two sums, and all pairs that begin in it
    for (let a = 0; a < n; a++) {
      const i = half[a] * P;
      from += rows[half[a]];
      for (let b = 0; b < a; b += 2) even += k[i + half[b]];
      for (let b = 1; b < a; b += 2) odd += k[i + half[b]];
    }
    const across = from - 2 * (even + odd);
    return (total - 2 * across) / (n * (n - 1)) - (2 * across) / n ** 2;
  });
}

// The first half of each random parting of 2n points, as places: PERMUTATIONS times [n].
const partings = remembered((/** @type {number} */ n, /** @type {number} */ seed) => {
  const P = 2 * n, random = uniforms(PERMUTATIONS * P, 10000 + seed);
  return Array.from({ length: PERMUTATIONS }, (_, run) => {
    const order = argsort(random.subarray(run * P, (run + 1) * P)), half = new Uint16Array(n);
    for (let place = 0, found = 0; place < P; place++) if (order[place] < n) half[found++] = place;
    return half;
  });
});

/**
 * The places of whole numbers below UNITS, evenly spread, from the smallest number to the largest.
 * @param {Float64Array} values
 */
function argsort(values) {
  const P = values.length, order = new Uint16Array(P), end = new Uint16Array(P + 1);
  const bin = (/** @type {number} */ value) => Math.floor((value * P) / UNITS);
  for (const value of values) end[bin(value) + 1]++;
  for (let i = 0; i < P; i++) end[i + 1] += end[i];
  for (let i = 0; i < P; i++) order[end[bin(values[i])]++] = i;
  for (let i = 1; i < P; i++) {
    const place = order[i];
    let j = i;
    for (; j > 0 && values[order[j - 1]] > values[place]; j--) order[j] = order[j - 1];
    order[j] = place;
  }
  return order;
}

/**
 * The witness, codes minus prior, at points of a plane along the first two axes: [points]. `elsewhere` is where the
 * plane lies in the other axes.
 * @param {number[][]} plane
 * @param {Float64Array} pooled
 * @param {Float64Array} elsewhere
 * @param {number} d
 * @param {(r: number) => number} k
 */
export function witness(plane, pooled, elsewhere, d, k) {
  const P = pooled.length / d, away = new Float64Array(P);
  for (let i = 0; i < P; i++) for (let j = 2; j < d; j++) away[i] += (pooled[i * d + j] - elsewhere[j]) ** 2;
  return Float64Array.from(plane, ([a, b]) => {
    let sum = 0;
    for (let i = 0; i < P; i++) {
      const r = (a - pooled[i * d]) ** 2 + (b - pooled[i * d + 1]) ** 2 + away[i];
      sum += i < P / 2 ? -k(r) : k(r);
    }
    return sum / (P / 2);
  });
}

/**
 * Minus the gradient of the witness at the codes, in the first two coordinates: `count` pairs.
 * @param {Float64Array} pooled
 * @param {Float64Array} r
 * @param {number} d
 * @param {(r: number) => number} slope
 * @param {number} count
 */
export function wayDown(pooled, r, d, slope, count) {
  const P = pooled.length / d, n = P / 2;
  return Array.from({ length: Math.min(count, n) }, (_, code) => {
    const at = n + code, pull = [0, 0];
    for (let j = 0; j < P; j++) {
      const steep = ((j < n ? 2 : -2) / n) * slope(r[at * P + j]);
      for (const axis of [0, 1]) pull[axis] += steep * (pooled[at * d + axis] - pooled[j * d + axis]);
    }
    return pull;
  });
}
