// The numbers of the VAE that runs in a page: networks of whole numbers, log p(x) by quadrature in the plane of z.
// Everything is in nats. Points of the plane lie one after the other, [2 N]; pixels are zeros and ones, [D].

/** @import { Layer, StoredLayer, StoredVae } from "./trained.d.ts" */

const LOG_TAU = Math.log(2 * Math.PI);
const SLICE = 1500; // points that are decoded between two pauses: some 15 ms
const WIDE = 6, COARSE = 0.5; // of the grid around q, in its standard deviations

/**
 * The layers of a network: whole numbers times the scale of their row.
 * @param {StoredLayer[]} stored
 * @returns {Layer[]}
 */
export function network(stored) {
  return stored.map(({ inputs, outputs, scales, weights, biases }) => {
    const whole = Int8Array.from(atob(weights), (letter) => letter.charCodeAt(0));
    const weight = Float64Array.from(whole, (number, i) => number * scales[Math.floor(i / inputs)]);
    return { inputs, outputs, weight, bias: Float64Array.from(biases) };
  });
}

/**
 * The network's answers to many points, with tanh between its layers: [count inputs] -> [count outputs].
 * @param {Layer[]} layers
 * @param {ArrayLike<number>} points
 */
export function forward(layers, points) {
  let now = new Float64Array(points);
  layers.forEach(({ inputs, outputs, weight, bias }, depth) => {
    const count = now.length / inputs, next = new Float64Array(count * outputs);
    for (let point = 0; point < count; point++) {
      for (let out = 0; out < outputs; out++) {
        let sum = bias[out];
        for (let i = 0; i < inputs; i++) {
          sum += weight[out * inputs + i] * now[point * inputs + i];
        }
        next[point * outputs + out] = depth < layers.length - 1 ? Math.tanh(sum) : sum;
      }
    }
    now = next;
  });
  return now;
}

/** @param {number} logit */
const softplus = (logit) => Math.max(logit, 0) + Math.log1p(Math.exp(-Math.abs(logit)));

/**
 * log N(z; 0, I) in the plane.
 * @param {number} a
 * @param {number} b
 */
const logPrior = (a, b) => -0.5 * (a * a + b * b) - LOG_TAU;

export class Vae {
  /** @param {StoredVae} file */
  constructor({ encoder, decoder }) {
    this.encoder = network(encoder);
    this.decoder = network(decoder);
    this.D = this.encoder[0].inputs;
  }

  /**
   * Mean and standard deviation of q(z | x), each [2].
   * @param {ArrayLike<number>} x
   */
  encode(x) {
    const both = forward(this.encoder, x);
    return { mean: [both[0], both[1]], std: [Math.exp(both[2]), Math.exp(both[3])] };
  }

  /**
   * The probability that each pixel is 1 at one z: [D].
   * @param {ArrayLike<number>} z
   */
  decode(z) {
    return Float64Array.from(forward(this.decoder, z), (logit) => 1 / (1 + Math.exp(-logit)));
  }

  /**
   * log p(x, z) at many z: [N].
   * @param {ArrayLike<number>} x
   * @param {ArrayLike<number>} z
   */
  logJoint(x, z) {
    const logits = forward(this.decoder, z), { D } = this;
    return Float64Array.from({ length: z.length / 2 }, (_, point) => {
      let sum = logPrior(z[2 * point], z[2 * point + 1]);
      for (let d = 0; d < D; d++) {
        sum += x[d] * logits[point * D + d] - softplus(logits[point * D + d]);
      }
      return sum;
    });
  }
}

// What of log p(x, z) does not hang on x, on a grid of the plane: decoded once for all x.
export class Plane {
  /**
   * @param {Vae} vae
   * @param {{ step: number, reach: number }} grid
   */
  constructor(vae, { step, reach }) {
    this.vae = vae;
    this.step = step;
    this.side = 1 + Math.round((2 * reach) / step);
    /** @type {number[]} */
    const z = [];
    this.place = new Int32Array(this.side ** 2).fill(-1); // of a point of the square among those of the disc
    for (let row = 0; row < this.side; row++) {
      for (let column = 0; column < this.side; column++) {
        const a = step * column - reach, b = step * row - reach;
        if (a * a + b * b > reach ** 2 + 1e-9) continue;
        this.place[row * this.side + column] = z.length / 2;
        z.push(a, b);
      }
    }
    this.z = Float64Array.from(z);
    this.N = z.length / 2;
    this.base = new Float64Array(this.N); // log p(z), and log p(all pixels 0 | z)
    this.lit = Array.from({ length: vae.D }, () => new Float64Array(this.N)); // what a pixel that is 1 adds
  }

  /**
   * Decodes the points from `start` on, as many as a page may wait for; the place where to go on.
   * @param {number} start
   */
  decode(start) {
    const end = Math.min(start + SLICE, this.N),
      logits = forward(this.vae.decoder, this.z.subarray(2 * start, 2 * end));
    for (let point = start, at = 0; point < end; point++) {
      let sum = logPrior(this.z[2 * point], this.z[2 * point + 1]);
      for (let d = 0; d < this.vae.D; d++, at++) {
        sum -= softplus(logits[at]);
        this.lit[d][point] = logits[at];
      }
      this.base[point] = sum;
    }
    return end;
  }

  /** Decodes all, and lets the page answer in between. */
  async decoded() {
    for (let at = 0; at < this.N;) {
      at = this.decode(at);
      await new Promise((go) => setTimeout(go));
    }
    return this;
  }

  /**
   * log p(x, z) on the grid: [N].
   * @param {ArrayLike<number>} x
   */
  logJoint(x) {
    const sum = this.base.slice();
    this.lit.forEach((logits, d) => {
      if (x[d]) { for (let i = 0; i < sum.length; i++) sum[i] += logits[i]; }
    });
    return sum;
  }

  /**
   * log p(x), a trapezoid sum over the grid, of the log p(x, z) there.
   * @param {Float64Array} logJoint
   */
  logLikelihood(logJoint) {
    return logSumExp(logJoint) + 2 * Math.log(this.step);
  }

  /**
   * log w and the mass of the prior on the grid.
   * @param {Float64Array} logJoint
   */
  underPrior(logJoint) {
    const { z, step } = this,
      mass = new Float64Array(this.N),
      logW = new Float64Array(this.N);
    for (let i = 0; i < this.N; i++) {
      const log = logPrior(z[2 * i], z[2 * i + 1]);
      mass[i] = Math.exp(log) * step ** 2;
      logW[i] = logJoint[i] - log;
    }
    return { logW, mass };
  }
}

/**
 * log w and the mass of a narrow q on a grid around it.
 * @param {Vae} vae
 * @param {ArrayLike<number>} x
 * @param {{ mean: number[], std: number[] }} q
 */
export function aroundQ(vae, x, q) {
  const side = 1 + (2 * WIDE) / COARSE;
  const eps = Float64Array.from({ length: 2 * side ** 2 }, (_, i) => {
    const place = i >> 1;
    return COARSE * (i % 2 ? Math.floor(place / side) : place % side) - WIDE;
  });
  const logW = logWeights(vae, x, q, eps);
  const mass = logW.map((_, i) => Math.exp(logPrior(eps[2 * i], eps[2 * i + 1])) * COARSE ** 2);
  return { logW, mass };
}

/**
 * The samples that noise becomes under q: [2 N].
 * @param {{ mean: number[], std: number[] }} q
 * @param {Float64Array} eps
 */
export const samples = ({ mean, std }, eps) => eps.map((e, i) => mean[i % 2] + std[i % 2] * e);

/**
 * log w = log p(x, z) - log q(z) at the samples of q that noise becomes: [N].
 * @param {Vae} vae
 * @param {ArrayLike<number>} x
 * @param {{ mean: number[], std: number[] }} q
 * @param {Float64Array} eps
 */
export function logWeights(vae, x, q, eps) {
  const logQ = (/** @type {number} */ i) => logPrior(eps[2 * i], eps[2 * i + 1]) - Math.log(q.std[0] * q.std[1]);
  return vae.logJoint(x, samples(q, eps)).map((log, i) => log - logQ(i));
}

/** @param {Float64Array} values */
export function logSumExp(values) {
  let top = -Infinity, sum = 0;
  for (const value of values) top = Math.max(top, value);
  for (const value of values) sum += Math.exp(value - top);
  return top + Math.log(sum);
}
