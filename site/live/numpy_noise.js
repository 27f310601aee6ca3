// The noise of numpy's default_rng([seed, part]) in float32: PCG64, and its ziggurats for normal and for Gamma numbers.

const f32 = Math.fround;
// A number of 128 bits is six limbs of 24, the lowest first: their products fit a double.
const LIMB = 2 ** 24, DOWN = 1 / LIMB;
const M = [0xccf645, 0xdf649f, 0xa44385, 0x1fc65d, 0x60ed05, 0x23]; // 0x2360ed051fc65da44385df649fccf645

/**
 * The state that SeedSequence makes of whole numbers below 2^32: [count] words. Source: numpy, after M. E. O'Neill.
 * @param {number[]} entropy
 * @param {number} count
 */
function seedWords(entropy, count) {
  let constant = 0x43b0d7e5;
  const hash = (/** @type {number} */ word) => {
    word ^= constant;
    constant = Math.imul(constant, 0x931e8875);
    word = Math.imul(word, constant);
    return (word ^ (word >>> 16)) >>> 0;
  };
  const mix = (/** @type {number} */ x, /** @type {number} */ y) => {
    const mixed = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] ?? 0));
  for (const from of pool.keys()) {
    for (const to of pool.keys()) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  }
  constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, i) => {
    let word = pool[i % 4] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    word = Math.imul(word, constant);
    return (word ^ (word >>> 16)) >>> 0;
  });
}

/**
 * A function that gives the next 32 random bits of PCG64, XSL-RR, the lower half of 64 first.
 * @param {number[]} entropy
 */
export function pcg64(entropy) {
  const words = seedWords(entropy, 8); // four numbers of 64 bits, each with its lower half first
  const wide = (/** @type {number} */ i) =>
    [words[i + 1], words[i], words[i + 3], words[i + 2]].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
  const toLimbs = (/** @type {bigint} */ value) =>
    Array.from({ length: 6 }, (_, i) => Number((value >> BigInt(24 * i)) & 0xffffffn));
  const all = (1n << 128n) - 1n, increment = ((wide(4) << 1n) | 1n) & all;
  const [i0, i1, i2, i3, i4, i5] = toLimbs(increment), [m0, m1, m2, m3, m4, m5] = M;
  let [s0, s1, s2, s3, s4, s5] = toLimbs((increment + wide(0)) & all); // a step from 0, and the first number on it
  function step() {
    let sum = s0 * m0 + i0, carry = Math.floor(sum * DOWN);
    const r0 = sum - carry * LIMB;
    sum = s0 * m1 + s1 * m0 + i1 + carry, carry = Math.floor(sum * DOWN);
    const r1 = sum - carry * LIMB;
    sum = s0 * m2 + s1 * m1 + s2 * m0 + i2 + carry, carry = Math.floor(sum * DOWN);
    const r2 = sum - carry * LIMB;
    sum = s0 * m3 + s1 * m2 + s2 * m1 + s3 * m0 + i3 + carry, carry = Math.floor(sum * DOWN);
    const r3 = sum - carry * LIMB;
    sum = s0 * m4 + s1 * m3 + s2 * m2 + s3 * m1 + s4 * m0 + i4 + carry, carry = Math.floor(sum * DOWN);
    const r4 = sum - carry * LIMB;
    sum = s0 * m5 + s1 * m4 + s2 * m3 + s3 * m2 + s4 * m1 + s5 * m0 + i5 + carry;
    s5 = sum - 256 * Math.floor(sum / 256);
    s0 = r0;
    s1 = r1;
    s2 = r2;
    s3 = r3;
    s4 = r4;
  }
  step();
  let upper = -1; // the half that waits
  return () => {
    if (upper >= 0) {
      const bits = upper;
      upper = -1;
      return bits;
    }
    step();
    const last = s4 | (s5 << 24), turn = last >>> 26;
    let low = s0 | (s1 << 24), high = (s1 >>> 8) | (s2 << 16);
    low ^= (s2 >>> 16) | (s3 << 8);
    high ^= last;
    if (turn & 32) {
      const first = low;
      low = high;
      high = first;
    }
    const by = turn & 31;
    if (by === 0) {
      upper = high >>> 0;
      return low >>> 0;
    }
    upper = ((high >>> by) | (low << (32 - by))) >>> 0;
    return ((low >>> by) | (high << (32 - by))) >>> 0;
  };
}

/**
 * A ziggurat of 256 strips of one area: where a strip is inside for sure (`sure`, of 2^23), its width over 2^23, and
 * the height of its lower edge. Source: Marsaglia and Tsang 2000.
 * @param {number} end
 * @param {number} area
 * @param {(x: number) => number} height
 * @param {(y: number) => number} place
 */
function ziggurat(end, area, height, place) {
  const sure = new Uint32Array(256), width = new Float32Array(256), edge = new Float32Array(256);
  const base = area / height(end), unit = 2 ** 23;
  sure[0] = (end / base) * unit;
  width[0] = base / unit;
  width[255] = end / unit;
  edge[0] = 1;
  edge[255] = height(end);
  for (let i = 254, x = end; i > 0; i--) {
    const next = place(area / x + height(x));
    sure[i + 1] = (next / x) * unit;
    edge[i] = height(next);
    width[i] = next / unit;
    x = next;
  }
  return { end: f32(end), sure, width, edge };
}

const NORMAL = ziggurat(
  3.6541528853610087963519472518,
  0.0049286732339746571,
  (x) => Math.exp(-0.5 * x * x),
  (y) => Math.sqrt(-2 * Math.log(y)),
);
const EXPONENTIAL = ziggurat(
  7.69711747013104972,
  0.0039496598225815571993,
  (x) => Math.exp(-x),
  (y) => -Math.log(y),
);

/**
 * numpy's Generator, as far as the labs draw from it.
 * @param {number[]} entropy
 */
export function generator(entropy) {
  const bits = pcg64(entropy), uniform = () => (bits() >>> 8) * 2 ** -24;

  function normal() {
    const { end, sure, width, edge } = NORMAL;
    for (;;) {
      const word = bits(), strip = word & 255, far = word >>> 9;
      const size = f32(far * width[strip]), x = word & 256 ? -size : size;
      if (far < sure[strip]) return x;
      if (strip > 0) {
        if (edge[strip] + (edge[strip - 1] - edge[strip]) * uniform() < Math.exp(-0.5 * x * x)) return x;
        continue;
      }
      for (;;) {
        const beyond = f32(-Math.log1p(-uniform()) / end), other = -Math.log1p(-uniform());
        if (2 * other > beyond * beyond) return (far >>> 8) & 1 ? -f32(end + beyond) : f32(end + beyond);
      }
    }
  }

  function exponential() {
    const { end, sure, width, edge } = EXPONENTIAL;
    for (;;) {
      const word = bits() >>> 1, strip = word & 255, far = word >>> 8, x = f32(far * width[strip]);
      if (far < sure[strip]) return x;
      if (strip === 0) return f32(end - Math.log1p(-uniform()));
      if (edge[strip] + (edge[strip - 1] - edge[strip]) * uniform() < Math.exp(-x)) return x;
    }
  }

  /**
   * Gamma(shape, 1); for shape 0 it is 0. Source: Marsaglia and Tsang 2000, below 1 Ahrens and Dieter 1974.
   * @param {number} shape
   */
  function gamma(shape) {
    if (shape === 0) return 0;
    if (shape === 1) return exponential();
    while (shape < 1) {
      const u = uniform(), v = exponential(), y = u <= 1 - shape ? 0 : -Math.log((1 - u) / shape);
      const x = y === 0 ? u ** (1 / shape) : (1 - shape + shape * y) ** (1 / shape);
      if (x <= v + y) return f32(x);
    }
    const b = shape - 1 / 3, c = 1 / Math.sqrt(9 * b);
    for (;;) {
      let x, v;
      do {
        x = normal();
        v = 1 + c * x;
      } while (v <= 0);
      v = v * v * v;
      const u = uniform();
      if (u < 1 - 0.0331 * (x * x) * (x * x) || Math.log(u) < 0.5 * x * x + b * (1 - v + Math.log(v))) {
        return f32(b * v);
      }
    }
  }

  return { uniform, normal, exponential, gamma };
}
