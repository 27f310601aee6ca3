// Lab "04.signal" on a page: vaecourse/labs/signal.py, with the same draws for the same seed.

import { RowGradients, slopesOf } from "./gradients.js";
import { beside } from "./linear_gaussian.js";
import { normals, remembered } from "./noise.js";
import { Axes, steps } from "./chart.js";
import { fixed, gapTo, general, withMinus } from "./frame.js";
import { beyond, histogram, ofHighest } from "./stats.js";

/** @import { QSettings, ReferenceFacts } from "./lab.d.ts" */
/** @typedef {ReferenceFacts & { fixed: string, budget: number, samples: number, estimates: number }} Facts */
/** @typedef {{ K: number, M: number, beta: number, budget: string, pooled: boolean, seed: number }} Settings */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const LARGEST_K = 1024, FINITE = Math.sqrt(1 / 2); // the width above which E[w^2] is finite
const EDGES = steps(-4, 10, 57); // of the histograms, in standard deviations
const POWERS = Array.from({ length: 11 }, (_, i) => 2 ** i);

const rowsOf = remembered(
  (/** @type {Facts} */ facts, /** @type {number} */ mean, /** @type {number} */ std) =>
    new RowGradients(facts, mean, std),
);

/**
 * @param {QSettings & Settings} settings
 * @param {Facts} facts
 */
function compute({ K: asked, M: groups, beta, budget, pooled, seed, width, shift }, facts) {
  const { mean, std } = beside(facts, width, shift), rows = rowsOf(facts, mean, std), held = budget === facts.fixed;
  const K = held ? 2 ** Math.round(Math.log2(Math.min(asked, facts.budget))) : asked; // a divisor of the budget
  const M = held ? facts.budget / K : groups;
  const Ks = POWERS.filter((k) => k <= (held ? facts.budget : LARGEST_K));
  const at = (/** @type {number} */ m, /** @type {number} */ k) => ({
    theta: pooled
      ? rows.signalToNoise("iwae", "weight", 1, m * k)
      : rows.signalToNoise("ciwae", "weight", m, k, { beta }),
    phi: rows.signalToNoise("ciwae", "mean", m, k, { beta }),
    value: pooled ? rows.value("iwae", m, k) : rows.value("ciwae", m, k, { beta }),
  });
  const curves = Ks.map((k) => at(held ? facts.budget / k : M, k));
  return {
    width,
    shift,
    M,
    K,
    beta,
    pooled,
    fixed: held,
    budget: facts.budget,
    logP: rows.logP,
    ...at(M, K),
    Ks,
    curves,
    iwae: POWERS.map((k) => at1(rows, k)),
    runs: runsOf({ M, K, beta, pooled, seed, mean, std }, rows, facts),
  };
}

/**
 * The signal of IWAE with M = 1, which is drawn beside it.
 * @param {RowGradients} rows
 * @param {number} k
 */
const at1 = (rows, k) => ({
  theta: rows.signalToNoise("iwae", "weight", 1, k),
  phi: rows.signalToNoise("iwae", "mean", 1, k),
});

/** @type {{ seed: number, found: Float64Array } | undefined} */
let noise;

/**
 * The first so many numbers, and as many again, so that a slow hand does not draw them at every step.
 * @param {number} count
 * @param {number} seed
 * @param {number} most
 */
function first(count, seed, most) {
  if (noise?.seed !== seed || noise.found.length < count) {
    noise = { seed, found: normals(Math.min(2 ** Math.ceil(Math.log2(Math.max(count, 1024))), most), seed) };
  }
  return noise.found;
}

/**
 * Independent estimates of both gradients in units of their exact sd, with the sign that puts their mean at +SNR.
 * @param {{ M: number, K: number, beta: number, pooled: boolean, seed: number, mean: number, std: number }} settings
 * @param {RowGradients} rows
 * @param {Facts} facts
 */
function runsOf({ M, K, beta, pooled, seed, mean, std }, rows, facts) {
  const R = Math.min(facts.estimates, Math.floor(facts.samples / (M * K)));
  const eps = first(R * M * K, seed, facts.samples), of = slopesOf(facts, mean, std);
  const phi = new Float64Array(R), theta = new Float64Array(R);
  for (let run = 0, i = 0; run < R; run++) {
    let allW = 0, allWeighted = 0;
    for (let group = 0; group < M; group++) {
      let sum = 0, weightedPhi = 0, weightedTheta = 0, plainPhi = 0, plainTheta = 0;
      for (let k = 0; k < K; k++, i++) {
        const e = eps[i], w = Math.exp(of.logW(e)), byMean = of.path(e) - of.score(e), byWeight = of.weight(e);
        sum += w;
        weightedPhi += w * byMean;
        weightedTheta += w * byWeight;
        plainPhi += byMean;
        plainTheta += byWeight;
      }
      phi[run] += ((beta * plainPhi) / K + ((1 - beta) * weightedPhi) / sum) / M;
      theta[run] += ((beta * plainTheta) / K + ((1 - beta) * weightedTheta) / sum) / M;
      allW += sum;
      allWeighted += weightedTheta;
    }
    if (pooled) theta[run] = allWeighted / allW;
  }
  const scaled = (/** @type {Float64Array} */ runs, /** @type {import("./lab.d.ts").Moments} */ { mean, variance }) =>
    runs.map((run) => ((mean < 0 ? -1 : 1) * run) / Math.sqrt(variance));
  const ofTheta = pooled ? rows.moments("iwae", "weight", 1, M * K) : rows.moments("ciwae", "weight", M, K, { beta });
  return { phi: scaled(phi, rows.moments("ciwae", "mean", M, K, { beta })), theta: scaled(theta, ofTheta) };
}

/** @param {Data} data */
const numbers = ({ theta, phi, value, logP }) => ({ theta, phi, value, log_likelihood: logP });

/** @param {HTMLElement} figure */
function build(figure) {
  const x = { from: 0.85, to: 1200, log: true, ticks: [1, 10, 100, 1000], label: "samples K (log scale)" };
  const snr = new Axes(figure, {
    width: 430,
    height: 410,
    x,
    y: { from: 0.003, to: 1000, log: true, ticks: [0.01, 0.1, 1, 10, 100], label: "|mean| / sd, exact (log scale)" },
    key: {
      "decoder, θ": "live-decoder",
      "encoder, φ": "live-encoder",
      "IWAE, M = 1": "live-prior live-dotted",
      "out of the picture": "live-prior live-out",
    },
  });
  const bound = new Axes(figure, {
    x: { ...x, label: "K" },
    y: { from: -2.6, to: -1.6, ticks: [-2.4, -2.2, -2, -1.8, -1.6], label: "nats", name: (nats) => nats.toFixed(1) },
    key: { "exact log p(x)": "live-exact", "bound (expected)": "live-iwae" },
  });
  const runs = new Axes(figure, {
    x: {
      from: EDGES[0],
      to: EDGES[EDGES.length - 1],
      ticks: [-4, 0, 4, 8],
      label: "single gradients, in their own sd",
    },
    y: { from: 0, to: 1.15 },
    key: { encoder: "live-encoder live-area", decoder: "live-decoder" },
  });
  snr.horizontal(snr.mark("live-prior live-thin"), 1);
  runs.vertical(runs.mark("live-prior live-thin"), 0);
  return {
    snr,
    bound,
    runs,
    iwae: {
      theta: snr.mark("live-decoder live-thin live-dotted"),
      phi: snr.mark("live-encoder live-thin live-dotted"),
    },
    curves: { theta: snr.edged("live-decoder"), phi: snr.edged("live-encoder") },
    dots: { theta: snr.edged("live-decoder live-big live-dot"), phi: snr.edged("live-encoder live-big live-dot") },
    truth: bound.mark("live-exact"),
    value: bound.edged("live-iwae"),
    valueDot: bound.edged("live-iwae live-big live-dot"),
    bars: { phi: runs.mark("live-encoder live-area"), theta: runs.mark("live-decoder") },
    beyond: runs.words(),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ snr, bound, runs, ...marks }, data) {
  const { K, Ks, curves } = data;
  for (const of of /** @type {const} */ (["theta", "phi"])) {
    snr.line(marks.iwae[of], POWERS, data.iwae.map((point) => point[of]));
    snr.edgedLine(marks.curves[of], Ks, curves.map((point) => point[of]));
    snr.edgedDots(marks.dots[of], [[K, data[of]]]);
    runs.bars(marks.bars[of], EDGES, ofHighest(histogram(data.runs[of], EDGES, true)));
  }
  bound.horizontal(marks.truth, data.logP);
  bound.edgedLine(marks.value, Ks, curves.map(({ value }) => value));
  bound.edgedDots(marks.valueDot, [[K, data.value]]);
  runs.write(marks.beyond, 3, 1.02, beyond(Float64Array.of(...data.runs.theta, ...data.runs.phi), EDGES));
}

/** @param {Data} data */
function sentence(data) {
  const { M, K, beta, pooled } = data, budget = data.fixed ? `, M K fixed at ${data.budget}` : "";
  const idle = K === 1 && beta > 0 ? [`β = ${general(beta, 6)} at K = 1`] : [];
  if (M === 1 && pooled) idle.push("pooling at M = 1");
  return withMinus(
    `${nameOf(data)} with M = ${M}, K = ${K}${budget}: the signal-to-noise ratio is ${general(data.phi, 3)} for the ` +
      `encoder and ${general(data.theta, 3)} for the decoder; the bound is ${fixed(data.value, 3)} nats, ` +
      `${general(gapTo(data.value, data.logP), 2)} below log p(x). ${rule(data)}` +
      (idle.length ? ` Not in use: ${idle.join(", ")}.` : ""),
  );
}

/**
 * Where the drawn curves go; and which way the chapter's rule stands for this q, IWAE's with M = 1: the encoder loses
 * and the decoder gains.
 * @param {Data} data
 */
function rule({ width, shift, iwae, M, fixed: held, beta, Ks, curves }) {
  const phi = iwae.map((point) => point.phi), theta = iwae.map((point) => point.theta), end = iwae.length - 1;
  const loses = phi[end] < phi[0], gains = theta[end] > theta[0];
  const encoder = shift === 0
    ? "q's mean is right, so the encoder has no signal at any K"
    : `the encoder ${loses ? "loses" : "gains"} (${way(phi)})`;
  const decoder = `the decoder ${gains ? "gains" : "loses"} (${way(theta)})`;
  const stands = loses && gains ? ": the rule" : shift !== 0 || !gains ? ", against the rule" : "";
  const infinite = width > FINITE ? "" : ": below width 0.71 χ² is infinite, and there is no 1/K law";
  const drawn = `encoder ${way(curves.map((at) => at.phi))}, decoder ${way(curves.map((at) => at.theta))}`;
  const of = M > 1 || held || beta > 0 // the curves are others than the dotted ones
    ? `The curves up to K = ${Ks[Ks.length - 1]}: ${drawn}. Dotted, IWAE with M = 1 up to K = ${LARGEST_K}`
    : `K up to ${LARGEST_K} under one logarithm`;
  return `${of}: ${encoder}, ${decoder}${stands}${infinite}.`;
}

/**
 * Where a ratio goes from its first to its last K, and by way of what.
 * @param {number[]} curve
 */
function way(curve) {
  const first = curve[0], last = curve[curve.length - 1], low = Math.min(...curve), high = Math.max(...curve);
  const between = [
    ...(low < 0.9 * Math.min(first, last) ? [low] : []),
    ...(high > 1.1 * Math.max(first, last) ? [high] : []),
  ];
  return [first, ...between, last].map((ratio) => general(ratio, 2)).join(" to ");
}

/**
 * What people call this setting.
 * @param {Data} data
 */
function nameOf({ M, K, beta, pooled }) {
  const share = `β = ${general(beta, 6)}`;
  if (pooled && M > 1) return beta === 0 ? "PIWAE" : `PIWAE for θ, CIWAE(${share}) for φ`;
  if (K === 1 || beta === 1) return "The ELBO";
  if (beta > 0) return `CIWAE(${share})`;
  return M === 1 ? "IWAE" : "MIWAE";
}

export const signalLab = { compute, numbers, build, update, sentence };
