// The law of one weight where it is given at very many points, and E log of the mean of K draws from it: what
// exact.WeightLaw.lower computes in the package. Each point is asked only where exp(-t w) is neither 1 nor 0.

const STEP = 0.25; // of log t
const SERIES = -3; // below this log of t w, 1 - exp(-t w) is eight terms of its series, to 1e-17
const GONE = 3.5; // above it, exp(-t w) is 0, to 1e-14
const UNSEEN = 1e-13; // mass that changes no digit
const TERMS = [1, 2, 6, 24, 120, 720, 5040, 40320].map((factorial, term) => (term % 2 ? -1 : 1) / factorial);

export class PlaneLaw {
  /**
   * @param {Float64Array} logW
   * @param {Float64Array} mass
   */
  constructor(logW, mass) {
    let low = Infinity, high = -Infinity, elbo = 0;
    for (let i = 0; i < mass.length; i++) {
      elbo += mass[i] * logW[i];
      if (mass[i] < UNSEEN) continue;
      low = Math.min(low, logW[i]);
      high = Math.max(high, logW[i]);
    }
    this.elbo = elbo;
    this.first = -high - 24;
    this.logPhi = logLaplace(logW, mass, this.first, Math.ceil((high - low + 24 + GONE) / STEP) + 1);
  }

  /**
   * E log((w_1 + ... + w_K) / K): the integral of (e^-t - phi(t/K)^K) / t, a trapezoid in log t.
   * @param {number} K
   */
  expectedLogMean(K) {
    if (K === 1) return this.elbo;
    // in units of a weight that lies in the middle, so that e^-t has gone from 1 to 0 on the grid
    const unit = -this.first - 24, logK = Math.log(K);
    let sum = 0;
    this.logPhi.forEach((logPhi, j) => {
      sum += Math.exp(-Math.exp(STEP * j - 24 + logK)) - Math.exp(K * logPhi);
    });
    return unit + STEP * sum;
  }
}

/**
 * log E exp(-t w) at `count` t, whose logarithms begin at `first`: what is lost from 1 is summed.
 * @param {Float64Array} logW
 * @param {Float64Array} mass
 * @param {number} first
 * @param {number} count
 */
function logLaplace(logW, mass, first, count) {
  const lost = new Float64Array(count),
    gone = new Float64Array(count + 1),
    grown = Math.exp(STEP);
  const begun = TERMS.map(() => new Float64Array(count + 1)); // powers of t w where the series ends
  for (let i = 0; i < mass.length; i++) {
    if (mass[i] < UNSEEN) continue;
    let j = Math.min(Math.max(Math.ceil((SERIES - logW[i] - first) / STEP), 0), count);
    let tw = Math.exp(logW[i] + first + STEP * j), power = mass[i];
    for (const begins of begun) begins[j] += power *= tw;
    for (; j < count && tw < Math.exp(GONE); j++, tw *= grown) {
      lost[j] -= mass[i] * Math.expm1(-tw);
    }
    gone[j] += mass[i];
  }
  for (let j = 0, all = 0; j < count; j++) lost[j] += all += gone[j];
  begun.forEach((begins, term) => {
    const shrunk = grown ** -(term + 1);
    for (let j = count - 1, all = 0; j >= 0; j--) {
      lost[j] += TERMS[term] * (all = shrunk * (all + begins[j + 1]));
    }
  });
  return lost.map((share) => Math.log1p(-Math.min(share, 1)));
}
