// "A VAE in the page": x is drawn, q(z | x) and the exact posterior are seen in the plane, z is pulled, and the bounds
// of K samples stand beside log p(x).

import { Axes, power, steps } from "./chart.js";
import { contours, levels } from "./contours.js";
import { fixed } from "./frame.js";
import { normals } from "./noise.js";
import { Pad, picture } from "./pad.js";
import { PlaneLaw } from "./plane_law.js";
import { Pull } from "./pull.js";
import { aroundQ, logSumExp, logWeights, samples } from "./vae.js";

/** @import { Plane, Vae } from "./vae.js" */
/** @import { Settings as Given } from "./lab.d.ts" */

const VIEW = 4, SIDE = 8; // of the plane that is shown, and of an image
const MOST = 256, ALL_K = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const SHARES = [0.5, 0.95]; // of the posterior, and of q, inside the lines
const ANGLES = steps(0, 2 * Math.PI, 73);
const WIDTHS = [3, 5, 8, 12, 17, 24]; // of the dots; the area is the weight
const PRIOR = { mean: [0, 0], std: [1, 1] };
const GAPS = { from: 1e-4, to: 100 };
const SAMPLES = { from: 0.85, to: 300, log: true, ticks: [1, 4, 16, 64, 256] };

/** @typedef {{ pixels: string, z: number[], q: string, K: number, seed: number }} Settings */
/** @typedef {{ vae: Vae, plane: Plane, choices: { label: number, pixels: string }[] }} Facts */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

/**
 * What hangs on x alone.
 * @param {Facts} facts
 * @param {string} pixels
 */
function ofImage({ vae, plane, choices }, pixels) {
  const x = Float64Array.from(pixels, Number), logJoint = plane.logJoint(x);
  const chosen = choices.find((choice) => choice.pixels === pixels);
  return {
    x,
    logJoint,
    label: chosen ? `a held-out ${chosen.label}` : "your drawing",
    logP: plane.logLikelihood(logJoint),
    encoder: vae.encode(x),
    ...shape(plane, logJoint),
  };
}

/**
 * Lines around the posterior, and the share of it that is in view.
 * @param {Plane} plane
 * @param {Float64Array} logJoint
 */
function shape({ side, step, place }, logJoint) {
  const first = (side - 1) / 2 - VIEW / step, across = 1 + (2 * VIEW) / step;
  const inView = new Float64Array(across ** 2), all = logSumExp(logJoint);
  for (let row = 0; row < across; row++) {
    for (let column = 0; column < across; column++) {
      inView[row * across + column] = logJoint[place[(first + row) * side + first + column]];
    }
  }
  const at = (/** @type {number[]} */ [column, row]) => [step * column - VIEW, step * row - VIEW];
  const lines = levels(logJoint, SHARES).map((level) => contours(inView, across, level).map((line) => line.map(at)));
  return { lines, share: Math.exp(logSumExp(inView) - all) };
}

/**
 * What hangs on x and on q: ELBO and E[L_K] for every K.
 * @param {Facts} facts
 * @param {ReturnType<typeof ofImage>} image
 * @param {boolean} own whether q is the encoder's
 */
function ofProposal({ vae, plane }, image, own) {
  const { logW, mass } = own ? aroundQ(vae, image.x, image.encoder) : plane.underPrior(image.logJoint);
  const law = new PlaneLaw(logW, mass);
  return { q: own ? image.encoder : PRIOR, law, curve: ALL_K.map((K) => law.expectedLogMean(K)) };
}

/** @type {Map<string, { key: string, found: any }>} */
const kept = new Map();

/**
 * What was found for the same key the last time, or found now.
 * @template Found
 * @param {string} kind
 * @param {string} key
 * @param {() => Found} find
 * @returns {Found}
 */
function last(kind, key, find) {
  if (kept.get(kind)?.key !== key) kept.set(kind, { key, found: find() });
  return kept.get(kind)?.found;
}

/**
 * @param {Settings} settings
 * @param {Facts} facts
 */
function compute({ pixels, z, q: which, K, seed }, facts) {
  const image = last("image", pixels, () => ofImage(facts, pixels)),
    own = which !== "prior p(z)";
  const proposal = last("proposal", `${pixels} ${own}`, () => ofProposal(facts, image, own));
  const noise = last("noise", String(seed), () => normals(2 * MOST, seed))
    .subarray(0, 2 * K);
  const drawn = last(
    "drawn",
    `${pixels} ${own} ${K} ${seed}`,
    () => weighed(facts.vae, image.x, proposal.q, noise),
  );
  const logGiven = facts.vae.logJoint(image.x, z)[0] +
    0.5 * (z[0] ** 2 + z[1] ** 2) + Math.log(2 * Math.PI);
  return {
    ...image,
    ...proposal,
    ...drawn,
    pixels,
    z,
    K,
    own,
    logGiven,
    decoded: facts.vae.decode(z),
    elbo: proposal.law.elbo,
    expected: proposal.law.expectedLogMean(K),
  };
}

/**
 * Samples of q with their normalised weights, what these count for, and L_K.
 * @param {Vae} vae
 * @param {Float64Array} x
 * @param {{ mean: number[], std: number[] }} q
 * @param {Float64Array} noise
 */
function weighed(vae, x, q, noise) {
  const logW = logWeights(vae, x, q, noise),
    sum = logSumExp(logW),
    weights = logW.map((log) => Math.exp(log - sum));
  return {
    points: samples(q, noise),
    weights,
    counts: 1 / weights.reduce((squares, weight) => squares + weight ** 2, 0),
    bound: sum - Math.log(logW.length),
  };
}

/** @param {Data} data */
const numbers = ({ logP, elbo, expected, bound, counts, share }) => ({
  log_likelihood: logP,
  elbo,
  expected,
  bound,
  counts,
  share,
});

/**
 * @param {HTMLElement} figure
 * @param {(settings: Given) => void} set
 * @param {Facts} facts
 */
function build(figure, set, { choices }) {
  const stage = document.createElement("div");
  stage.className = "live-stage";
  figure.before(stage);
  const [left, middle, right] = ["live-x", "live-plane", "live-decoded"].map((
    name,
  ) => part(stage, "div", name));
  const pad = new Pad(left, "The digit x", SIDE, (pixels) => set({ pixels }));
  chooser(left, choices, set);
  const axis = { from: -VIEW, to: VIEW, ticks: [-4, -2, 0, 2, 4] };
  const plane = new Axes(middle, {
    width: 380,
    height: 376, // square inside
    x: { ...axis, label: "z₁" },
    y: { ...axis, label: "z₂" },
    key: {
      "exact posterior, 50 and 95 %": "live-exact",
      "q, 50 and 95 %": "live-q live-thick",
      "samples, area: weight": "live-iwae live-dot",
      "z, yours to pull": "live-pulled live-dot",
    },
  });
  const lines = SHARES.map(() => [plane.mark("live-q live-thick"), plane.mark("live-exact live-line")]);
  const dots = WIDTHS.map((width) => {
    const mark = plane.mark("live-iwae live-sample");
    mark.setAttribute("style", `stroke-width: ${width}px`);
    return mark;
  });
  const pull = new Pull(plane, VIEW, (z) => set({ z }));
  const decoded = picture(right, SIDE, "What the decoder makes of z");
  const table = part(stage, "dl", "live-numbers");
  const rows = ["ELBO", "L_K, these samples", "E[L_K], all draws", "log p(x), exact"].map((words) => {
    const row = part(table, "div", "");
    part(row, "dt", "").textContent = words;
    return part(row, "dd", "");
  });
  const gap = new Axes(figure, {
    width: 430,
    height: 220,
    x: { ...SAMPLES, label: "samples K (log scale)" },
    y: { ...GAPS, log: true, ticks: [1e-4, 0.01, 1, 100], name: power },
    key: { "log p(x) − E[L_K], nats": "live-iwae", "log p(x) − L_K, these samples": "live-elbo live-dot" },
  });
  const weights = new Axes(figure, {
    height: 220,
    x: { ...SAMPLES, label: "samples, heaviest first" },
    y: { from: 0, to: 1.04, ticks: [0, 0.5, 1] },
    key: { "share of the weight, added up": "live-ciwae" },
  });
  return {
    pad,
    plane,
    lines,
    dots,
    pull,
    decoded,
    rows,
    gap,
    weights,
    curve: gap.mark("live-iwae"),
    expected: gap.mark("live-iwae live-dot"),
    drawn: gap.mark("live-elbo live-dot"),
    shares: weights.mark("live-ciwae"),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update(marks, data) {
  const { plane, gap, weights } = marks, { K, logP, q } = data;
  marks.pad.show(data.pixels);
  marks.pull.show(data.z);
  marks.decoded(data.decoded, `What the decoder makes of z = (${data.z.map((at) => fixed(at, 2)).join(", ")})`);
  SHARES.forEach((share, i) => {
    const radius = Math.sqrt(-2 * Math.log(1 - share)),
      [ellipse, posterior] = marks.lines[i];
    const [xs, ys] = [Math.cos, Math.sin].map((turn, axis) =>
      ANGLES.map((angle) => q.mean[axis] + radius * q.std[axis] * turn(angle))
    );
    plane.line(ellipse, xs, ys);
    const all = data.lines[i].flatMap((line) => [...line, [NaN, NaN]]);
    plane.line(posterior, all.map(([across]) => across), all.map(([, up]) => up));
  });
  const size = Array.from(data.weights, (weight) => nearest(Math.sqrt(weight) * WIDTHS[WIDTHS.length - 1]));
  marks.dots.forEach((mark, i) => {
    const points = size.flatMap((of, k) => (of === i ? [[data.points[2 * k], data.points[2 * k + 1]]] : []));
    plane.dots(mark, points.filter((point) => point.every((at) => Math.abs(at) < 2 * VIEW)));
  });
  [data.elbo, data.bound, data.expected, logP].forEach((
    nats,
    i,
  ) => (marks.rows[i].textContent = fixed(nats, 3)));
  const soFar = [...ALL_K.filter((k) => k < K), K]; // what lies ahead is the reader's to predict
  const below = (/** @type {number} */ bound) => Math.min(Math.max(logP - bound, GAPS.from), GAPS.to);
  gap.line(marks.curve, soFar, [...data.curve.slice(0, soFar.length - 1), data.expected].map(below));
  gap.dots(marks.expected, [[K, below(data.expected)]]);
  gap.dots(marks.drawn, data.bound < logP ? [[K, below(data.bound)]] : []);
  let held = 0;
  const heaviest = Array.from(data.weights).sort((a, b) => b - a).map((weight) => (held += weight));
  weights.line(marks.shares, heaviest.flatMap((_, k) => [k + 1, k + 2]), heaviest.flatMap((sum) => [sum, sum]));
}

/** @param {Data} data */
function sentence({ label, own, K, elbo, logP, bound, expected, counts, z, logGiven, share }) {
  const above = bound > logP ? "above" : "below";
  const outside = share < 0.9 ? ` Of the posterior, ${fixed(100 * share, 0)} % lies in this picture.` : "";
  return (
    `x is ${label}, q ${own ? "its encoder's" : "the prior"}. The ELBO is ${fixed(elbo, 3)} nats, ` +
    `${fixed(logP - elbo, 3)} below log p(x) = ${fixed(logP, 3)}. K = ${K}: these samples give ${fixed(bound, 3)}, ` +
    `${fixed(Math.abs(logP - bound), 3)} ${above}, and weigh as much as ${
      fixed(counts, 1)
    } equal ones; over all draws ` +
    `E[L_K] is ${fixed(expected, 3)}, ${fixed(logP - expected, 3)} below.${outside} At z = (${fixed(z[0], 2)}, ` +
    `${fixed(z[1], 2)}), log p(x | z) is ${fixed(logGiven, 2)}.`
  );
}

export const vaeLab = { compute, numbers, build, update, sentence };

/**
 * A button for each class, which gives its next digit.
 * @param {HTMLElement} parent
 * @param {Facts["choices"]} choices
 * @param {(settings: Given) => void} set
 */
function chooser(parent, choices, set) {
  const row = part(parent, "div", "live-chooser");
  row.setAttribute("role", "group");
  row.setAttribute("aria-label", "A held-out digit");
  for (const label of new Set(choices.map((choice) => choice.label))) {
    const own = choices.filter((choice) => choice.label === label);
    let next = 0;
    const button = Object.assign(part(row, "button", "vaecourse-button"), {
      type: "button",
      textContent: String(label),
    });
    button.onclick = () => set({ pixels: own[next++ % own.length].pixels });
  }
}

/** @param {number} width */
function nearest(width) {
  return WIDTHS.reduce(
    (best, of, i) => (Math.abs(of - width) < Math.abs(WIDTHS[best] - width) ? i : best),
    0,
  );
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Element} parent
 * @param {Tag} tag
 * @param {string} className
 */
function part(parent, tag, className) {
  return parent.appendChild(Object.assign(document.createElement(tag), { className }));
}
