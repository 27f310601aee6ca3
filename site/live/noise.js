// The noise of the labs in JupyterLab, by seed: PyTorch's generator on a CPU (MT19937) and its way to normal numbers.
// A page with seed 3 shows the points that the lab shows with seed 3, to the seventh digit.

const STATE = 624, MIDDLE = 397;
const f32 = Math.fround;

/**
 * A function that gives the next 32 random bits. Source: Matsumoto and Nishimura 1998.
 * @param {number} seed
 */
export function mersenne(seed) {
  const state = new Uint32Array(STATE);
  state[0] = seed;
  for (let i = 1; i < STATE; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  let at = STATE;
  return () => {
    if (at === STATE) {
      for (let i = 0; i < STATE; i++) {
        const mixed = (state[i] & 0x80000000) | (state[(i + 1) % STATE] & 0x7fffffff);
        state[i] = state[(i + MIDDLE) % STATE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let bits = state[at++];
    bits ^= bits >>> 11;
    bits ^= (bits << 7) & 0x9d2c5680;
    bits ^= (bits << 15) & 0xefc60000;
    return (bits ^ (bits >>> 18)) >>> 0;
  };
}

export const UNITS = 2 ** 24;

/**
 * torch.rand in float32, in units of 2^-24: [count] whole numbers.
 * @param {number} count
 * @param {number} seed
 */
export function uniforms(count, seed) {
  const next = mersenne(seed), found = new Float64Array(count);
  for (let i = 0; i < count; i++) found[i] = next() & 0xffffff;
  return found;
}

/**
 * torch.randn in float32: [count], a multiple of 16. Box and Muller's pairs lie eight places apart.
 * @param {number} count
 * @param {number} seed
 */
export function normals(count, seed) {
  const u = uniforms(count, seed).map((whole) => whole / UNITS);
  const found = new Float64Array(count);
  for (let block = 0; block < count; block += 16) {
    for (let i = block; i < block + 8; i++) {
      const radius = f32(Math.sqrt(-2 * f32(Math.log(1 - u[i])))), angle = f32(f32(2 * Math.PI) * u[i + 8]);
      found[i] = f32(radius * f32(Math.cos(angle)));
      found[i + 8] = f32(radius * f32(Math.sin(angle)));
    }
  }
  return found;
}

/**
 * torch.randn in float64: [count], 16 or more. Where 16 do not divide the count, the last 16 are drawn anew. Noise of
 * one seed is kept, and a longer one goes on from it: its beginning is the same.
 * @param {number} count
 * @param {number} seed
 */
export function doubles(count, seed) {
  if (drawn?.seed !== seed) {
    drawn = {
      seed,
      next: mersenne(seed),
      u: new Float64Array(0),
      found: new Float64Array(0),
    };
  }
  const whole = count - (count % 16);
  draw(drawn, whole + (count % 16 ? 32 : 0));
  if (drawn.found.length < whole) {
    const longer = new Float64Array(whole);
    longer.set(drawn.found);
    for (let at = drawn.found.length; at < whole; at += 16) {
      block(drawn.u, at, longer, at);
    }
    drawn.found = longer;
  }
  if (count === whole) return drawn.found.subarray(0, count);
  const found = new Float64Array(count);
  found.set(drawn.found.subarray(0, whole));
  block(drawn.u, count, found, count - 16);
  return found;
}

/** @typedef {{ seed: number, next: () => number, u: Float64Array, found: Float64Array }} Drawn */

/** @type {Drawn | undefined} */
let drawn;

/**
 * At least so many uniform numbers, of 53 bits each.
 * @param {Drawn} drawn
 * @param {number} count
 */
function draw(drawn, count) {
  const { u, next } = drawn;
  if (u.length >= count) return;
  drawn.u = new Float64Array(count);
  drawn.u.set(u);
  for (let i = u.length; i < count; i++) {
    drawn.u[i] = (next() & 0x1fffff) * 2 ** -21 + next() * 2 ** -53;
  }
}

/**
 * Sixteen normal numbers from sixteen uniform ones.
 * @param {Float64Array} u
 * @param {number} from
 * @param {Float64Array} found
 * @param {number} to
 */
function block(u, from, found, to) {
  for (let i = 0; i < 8; i++) {
    const radius = Math.sqrt(-2 * Math.log(1 - u[from + i])),
      angle = 2 * Math.PI * u[from + i + 8];
    found[to + i] = radius * Math.cos(angle);
    found[to + i + 8] = radius * Math.sin(angle);
  }
}

/**
 * Keeps what it found for the last few arguments.
 * @template {unknown[]} Arguments, Found
 * @param {(...now: Arguments) => Found} find
 * @param {number} [most]
 * @returns {(...now: Arguments) => Found}
 */
export function remembered(find, most = 1) {
  /** @type {Map<string, Found>} */
  const known = new Map();
  return (...now) => {
    const key = now.join();
    if (!known.has(key)) {
      for (const old of [...known.keys()].slice(0, known.size + 1 - most)) {
        known.delete(old);
      }
      known.set(key, find(...now));
    }
    return /** @type {Found} */ (known.get(key));
  };
}
