// Lab "01.gap" on a page: vaecourse/labs/gap.py.

import { kl, klOfNormals, logLikelihood, normal, posterior } from "./linear_gaussian.js";
import { Axes, steps } from "./chart.js";
import { fixed, withMinus } from "./frame.js";

/** @import { Model } from "./lab.d.ts" */
/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const Z = steps(-3.5, 3.5, 141);
const FLOOR = -7, CEILING = 0.6;
const BARS = ["live-decoder", "live-prior", "live-elbo", "live-encoder"];
const NAMES = [
  "recon-\nstruction",
  "− KL to\nprior",
  "= ELBO",
  "+ KL to\nposterior",
];

/**
 * @param {{ mean: number, std: number, x: number }} settings
 * @param {Model} facts
 */
function compute({ mean, std, x }, facts) {
  const model = { ...facts, x },
    exact = posterior(model),
    logP = logLikelihood(model);
  const toPrior = klOfNormals(mean, std, 0, 1),
    toPosterior = kl(model, mean, std),
    elbo = logP - toPosterior;
  return {
    mean,
    std,
    exact,
    reconstruction: elbo + toPrior,
    toPrior,
    elbo,
    toPosterior,
    logP,
  };
}

/** @param {Data} data */
const numbers = ({ reconstruction, toPrior, elbo, toPosterior, logP }) => ({
  reconstruction,
  kl_to_prior: toPrior,
  elbo,
  kl_to_posterior: toPosterior,
  log_likelihood: logP,
});

/** @param {HTMLElement} figure */
function build(figure) {
  const densities = new Axes(figure, {
    height: 320,
    x: { from: Z[0], to: Z[Z.length - 1], ticks: [-2, 0, 2], label: "z" },
    y: { from: 0, to: 2.05, ticks: [0, 1, 2], label: "density" },
    key: {
      "prior p(z)": "live-prior",
      "posterior p(z|x)": "live-exact",
      "q(z|x)": "live-q",
    },
  });
  const sums = new Axes(figure, {
    height: 320,
    x: {
      from: -0.5,
      to: 3.5,
      ticks: [0, 1, 2, 3],
      name: (bar) => NAMES[bar],
      grid: false,
    },
    y: { from: FLOOR, to: CEILING, ticks: [-6, -4, -2, 0], label: "nats" },
    key: { "exact log p(x)": "live-exact" },
  });
  densities.line(
    densities.mark("live-prior"),
    Z,
    Z.map((z) => normal(z, 0, 1)),
  );
  return {
    densities,
    sums,
    shade: densities.mark("live-q live-area"),
    q: densities.mark("live-q"),
    posterior: densities.mark("live-exact"),
    bars: BARS.map((name) => sums.mark(`${name} live-area`)),
    truth: sums.mark("live-exact"),
    labels: BARS.map(() => sums.words()),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ densities, sums, ...marks }, data) {
  const { reconstruction, toPrior, elbo, toPosterior, logP, exact } = data;
  const q = Z.map((z) => normal(z, data.mean, data.std));
  densities.area(marks.shade, Z, q);
  densities.line(marks.q, Z, q);
  densities.line(
    marks.posterior,
    Z,
    Z.map((z) => normal(z, exact.mean, Math.sqrt(exact.variance))),
  );
  const spans = [
    [FLOOR, reconstruction],
    [elbo, reconstruction],
    [FLOOR, elbo],
    [elbo, logP],
  ];
  const amounts = [reconstruction, -toPrior, elbo, toPosterior];
  spans.forEach(([low, high], i) => {
    const [from, to] = [low, high].map((end) => Math.max(end, FLOOR));
    sums.boxes(marks.bars[i], [[[i - 0.35, from], [i + 0.35, to]]]);
    sums.write(marks.labels[i], i, to, fixed(amounts[i], 2), 5);
  });
  sums.horizontal(marks.truth, logP);
}

/** @param {Data} data */
function sentence({ reconstruction, toPrior, elbo, toPosterior, logP }) {
  return withMinus(
    `ELBO ${fixed(elbo, 3)} + KL(q ‖ posterior) ${fixed(toPosterior, 3)} = log p(x) ${fixed(logP, 3)}. The ELBO is ` +
      `the reconstruction ${fixed(reconstruction, 3)} minus KL(q ‖ prior) ${fixed(toPrior, 3)}.` +
      (elbo < FLOOR ? " It lies below the picture." : ""),
  );
}

export const gapLab = { compute, numbers, build, update, sentence };
