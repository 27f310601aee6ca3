// The law of one importance weight, and what it says about K of them: exact.WeightLaw, for a page. In nats.

export const STEP = 0.25; // of log t
export const UNSEEN = 1e-20; // mass that changes no digit of a number that is near 1
export const FADED = 40; // e^-40 is nothing beside 1
const TAIL = 45; // e^-45 is 3e-20
const RARE = 1e-15; // a mass below this does not stretch the grid
const BEND = 5, FAR = 15; // how, and from which log t on, a long way is walked in growing steps

/** @typedef {ArrayLike<number>} Numbers */

/**
 * Points in log t and their volumes, from where e^(-tw) leaves 1 for the largest weight to where it is 0 for the
 * smallest. A way that is longer than `reach` is walked in growing steps: quick, and good for five digits.
 * @param {Float64Array} logW
 * @param {Numbers[]} masses
 */
export function logGrid(logW, masses, step = STEP, reach = Infinity) {
  let most = 0, least = 0;
  logW.forEach((value, i) => {
    if (!masses.some((mass) => mass[i] > RARE)) return;
    most = Math.max(most, value);
    least = Math.min(least, value);
  });
  const low = -most - TAIL,
    high = -least + 6,
    stretch = Math.max(0, (high - low) / reach - 1);
  /** @type {number[]} */
  const logT = [], /** @type {number[]} */ volume = [];
  for (let j = 0, s = low; s < high; s = low + step * ++j) {
    const bend = (s - FAR) / BEND, at = s + stretch * BEND * softplus(bend);
    if (at > high) break;
    logT.push(at);
    volume.push(step * (1 + stretch / (1 + Math.exp(-bend))));
  }
  return { logT: Float64Array.from(logT), volume: Float64Array.from(volume) };
}

/** @param {number} x */
export const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/**
 * log E exp(-t w) under the mass at each t: what is lost from 1 is summed, which is exact when it is tiny.
 * @param {Float64Array} logW
 * @param {Numbers} mass
 * @param {Float64Array} logT
 */
export function logLaplace(logW, mass, logT) {
  const w = logW.map(Math.exp);
  return logT.map((logT) => {
    const t = Math.exp(logT);
    let lost = 0;
    for (let i = 0; i < w.length; i++) {
      if (mass[i] < UNSEEN) continue;
      const tw = t * w[i];
      lost += mass[i] * (tw > FADED ? 1 : tw < 1e-9 ? tw : -Math.expm1(-tw));
    }
    return Math.log1p(-Math.min(lost, 1 - 1e-16));
  });
}

// The law of a weight given on a grid, and exact statements about K draws from it.
export class WeightLaw {
  /** @type {Float64Array | undefined} */
  #underPosterior;

  /**
   * With `both` the law can tell `upper` too.
   * @param {Float64Array} logW
   * @param {Float64Array} mass
   * @param {{ step?: number, reach?: number, both?: boolean }} [walk]
   */
  constructor(logW, mass, { step, reach, both } = {}) {
    this.mass = mass;
    this.logMean = logSumExp(logW.map((value, i) => value + Math.log(mass[i])));
    this.logW = logW.map((value) => value - this.logMean);
    const posterior = mass.map((mass, i) => mass * Math.exp(this.logW[i]));
    const { logT, volume } = logGrid(
      this.logW,
      both ? [mass, posterior] : [mass],
      step,
      reach,
    );
    this.logT = logT;
    this.volume = volume;
    this.logPhi = logLaplace(this.logW, mass, logT);
    if (both) this.#underPosterior = logLaplace(this.logW, posterior, logT);
  }

  /**
   * Exact E[L_K]: E log((w_1 + ... + w_K) / K), the integral of (e^-t - phi(t/K)^K) / t.
   * @param {number} K
   */
  lower(K) {
    return this.#expected(K, (j) => K * this.logPhi[j]);
  }

  /**
   * Exact E[U_K]: the same over K + 1 weights, of which the first is drawn from the posterior.
   * @param {number} K
   */
  upper(K) {
    const first = this.#underPosterior;
    if (!first) {
      throw new Error("A law that is to tell upper must be made with both.");
    }
    return this.#expected(K + 1, (j) => K * this.logPhi[j] + first[j]);
  }

  /**
   * The log of the mean of n weights, from the log of their sum's Laplace transform at each t.
   * @param {number} n
   * @param {(j: number) => number} logTransform
   */
  #expected(n, logTransform) {
    const logN = Math.log(n);
    let sum = 0;
    this.logT.forEach((logT, j) => {
      sum += (Math.exp(-Math.exp(logT + logN)) - Math.exp(logTransform(j))) *
        this.volume[j];
    });
    return this.logMean + sum;
  }

  /**
   * The mass, on the grid, of one z picked from K draws by its weight: q K times the integral of
   * w e^(-tw) phi(t)^(K-1).
   * @param {number} K
   */
  impliedPosterior(K) {
    const others = this.logPhi.map((logPhi) => (K === 1 ? 1 : Math.exp((K - 1) * logPhi)));
    return this.mass.map((mass, i) => {
      if (mass < UNSEEN) return 0;
      let sum = 0;
      for (let j = 0; j < others.length; j++) {
        if (others[j] < UNSEEN) break; // phi falls with t
        const exponent = this.logT[j] + this.logW[i];
        if (exponent < -TAIL) continue;
        if (exponent > 4) break;
        const tw = Math.exp(exponent);
        sum += tw * Math.exp(-tw) * others[j] * this.volume[j];
      }
      return mass * K * sum;
    });
  }
}

/** @param {Float64Array} values */
export function logSumExp(values) {
  const top = values.reduce((most, value) => Math.max(most, value), -Infinity);
  return top +
    Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
}
