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
