// Lab "06.mmd" on a page: vaecourse/labs/mmd.py, with the same points for the same seed.

import { clouds, exactMmd2, kernelMatrix, mmd2, nullDistribution, profile, wayDown, witness } from "./mmd.js";
import { Axes, steps } from "./chart.js";
import { general } from "./frame.js";
import { histogram, median, ofHighest, standardDeviation } from "./stats.js";

const REACH = 3.4, GRID = 33, ARROWS = 60;
const UNSEEN = 1e-12; // a spread of the null below this is rounding
const AXIS = steps(-REACH, REACH, GRID);
const PLANE = AXIS.flatMap((down) => AXIS.map((across) => [across, -down])); // row by row from the top
const DISTANCES = steps(0.08, 60, 160, true), BINS = steps(0.08, 60, 61, true);
const Z_EDGES = steps(-4, 14, 55);
const HIGH = [200, 105, 10], LOW = [123, 80, 190]; // of the witness, dark enough for white and light enough for black

/** @typedef {{ n: number, d: number, shift: number, spread: number, seed: number }} Clouds */
/** @typedef {Clouds & { kernel: string, bandwidth: number, lam: number }} Settings */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

/** @param {Settings} settings */
function compute({ kernel, bandwidth, shift, spread, n, d, lam, seed }) {
  const { k, slope, mean } = profile(kernel, bandwidth, d);
  const { pooled, r, elsewhere } = clouds({ n, d, shift, spread, seed });
  const matrix = kernelMatrix(r, k), P = 2 * n;
  const { U, V } = mmd2(matrix, n);
  const shuffled = nullDistribution(matrix, n, seed);
  const plain = witness(PLANE, pooled, elsewhere, d, k);
  const first = (/** @type {number} */ i) => [pooled[i * d], pooled[i * d + 1]];
  const places = Array.from({ length: P }, (_, i) => first(i));
  const across = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) across[i * n + j] = Math.sqrt(r[i * P + n + j]);
  return {
    kernel,
    n,
    d,
    lam,
    U,
    V,
    exact: exactMmd2({ mean }, d, shift, spread),
    shuffled,
    plain,
    ...noiseOfWitness(matrix, n),
    median: median(across),
    sd: standardDeviation(shuffled),
    prior: places.slice(0, n),
    codes: places.slice(n),
    pull: wayDown(pooled, r, d, slope, ARROWS).map((way) => way.map((step) => lam * step)),
    profile: DISTANCES.map((distance) => k(distance ** 2)),
    pairs: histogram(across, BINS),
    pooled,
    elsewhere,
    plane: PLANE,
  };
}

/** @param {Data} data */
const numbers = ({ U, V, exact, median, sd }) => ({ U, V, exact, median, sd });

/** @param {HTMLElement} figure */
function build(figure) {
  const side = { from: -REACH, to: REACH, ticks: [-2, 0, 2] };
  const plane = new Axes(figure, {
    width: 430,
    height: 426, // square inside
    x: { ...side, label: "first coordinate" },
    y: { ...side, label: "second coordinate" },
    key: {
      prior: "live-prior live-dot",
      codes: "live-q live-dot",
      "pull, λ times": "live-elbo live-thin",
      "witness high": "live-high",
      "witness low": "live-low",
    },
  });
  const shuffled = new Axes(figure, {
    x: { from: -4, to: 14, ticks: [-4, 0, 4, 8, 12], label: "in standard deviations of the null" },
    y: { from: 0, to: 0.34 },
    key: {
      "labels shuffled": "live-prior live-area",
      "MMD², U": "live-iwae",
      "V": "live-miwae",
      exact: "live-exact",
    },
  });
  const distances = new Axes(figure, {
    x: { from: 0.08, to: 60, log: true, ticks: [0.1, 1, 10], label: "distance of two points" },
    y: { from: 0, to: 1.05, ticks: [0, 1] },
    key: { "kernel k": "live-ciwae", "pairs of points": "live-prior live-area" },
  });
  return {
    plane,
    shuffled,
    distances,
    witness: plane.image(GRID),
    prior: plane.mark("live-prior live-dot"),
    codes: plane.mark("live-q live-dot"),
    pull: plane.mark("live-elbo live-thin"),
    bars: shuffled.mark("live-prior live-area"),
    V: shuffled.mark("live-miwae"),
    U: shuffled.mark("live-iwae"),
    exact: shuffled.mark("live-exact"),
    pairs: distances.mark("live-prior live-area"),
    profile: distances.mark("live-ciwae"),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update(marks, data) {
  const { plane, shuffled, distances } = marks;
  paint(marks.witness, data);
  plane.dots(marks.prior, data.prior);
  plane.dots(marks.codes, data.codes);
  plane.strokes(
    marks.pull,
    data.pull.map(([a, b], i) => [data.codes[i], [data.codes[i][0] + a, data.codes[i][1] + b]]),
  );
  const sd = Math.max(data.sd, UNSEEN);
  const inside = (/** @type {number} */ value) =>
    Math.min(Math.max(value / sd, Z_EDGES[0] + 0.1), Z_EDGES[Z_EDGES.length - 1] - 0.1);
  shuffled.bars(marks.bars, Z_EDGES, histogram(data.shuffled.map((value) => value / sd), Z_EDGES, true));
  for (const name of /** @type {const} */ (["V", "U", "exact"])) shuffled.vertical(marks[name], inside(data[name]));
  distances.bars(marks.pairs, BINS, ofHighest(data.pairs));
  distances.line(marks.profile, DISTANCES, data.profile);
}

/** @param {Data} data */
function sentence({ kernel, n, d, lam, median, U, V, exact, sd, shuffled, pull }) {
  let verdict = "no pair of points is near enough for the kernel to see it";
  if (sd >= UNSEEN) {
    const p = (1 + shuffled.filter((value) => value >= U).length) / (1 + shuffled.length);
    const inSds = `${U < 0 ? "" : "+"}${(U / sd).toFixed(1)}`;
    verdict = `${inSds} null sds, p = ${p.toFixed(3)}: ${p < 0.05 ? "told apart" : "not told apart"}`;
  }
  const longest = Math.max(...pull.map((way) => Math.hypot(...way)));
  return (
    `${kernel}, n = ${n}, d = ${d}, median distance ${median.toFixed(2)}: ` +
    `MMD² = ${general(U, 2, true)} (exact ${general(exact, 2)}), ${verdict}. ` +
    `The penalty λ MMD² is ${general(lam * U, 2, true)}; the longest pull is ${general(longest, 2)}. ` +
    `The V-statistic, which counts each point with itself, is ${general(V, 2)}.`
  );
}

export const mmdLab = { compute, numbers, build, update, sentence };

/**
 * The witness's mean over all points, if there were no difference, and the noise of a mean over n minus a mean over n.
 * @param {Float64Array} matrix
 * @param {number} n
 */
function noiseOfWitness(matrix, n) {
  const P = 2 * n;
  let first = 0, second = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      first += matrix[i * P + j];
      second += matrix[(i + n) * P + j + n];
    }
  }
  return { middle: (second - first) / (2 * n ** 2), noise: standardDeviation(matrix, 1) * Math.sqrt(2 / n) };
}

/**
 * Orange where codes crowd, purple where they are missing, as strong as the witness is above its noise, 8 times at
 * most.
 * @param {Marks["witness"]} image
 * @param {Data} data
 */
function paint({ canvas, node }, { plain, middle, noise }) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const pixels = context.createImageData(GRID, GRID);
  plain.forEach((value, i) => {
    const strength = (value - middle) / Math.max(noise, UNSEEN) / 8;
    pixels.data.set(strength > 0 ? HIGH : LOW, 4 * i);
    pixels.data[4 * i + 3] = 255 * Math.min(Math.abs(strength), 1) * 0.85;
  });
  context.putImageData(pixels, 0, 0);
  node.setAttribute("href", canvas.toDataURL());
}
