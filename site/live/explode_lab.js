// Lab "06.explode" on a page: vaecourse/labs/explode.py.

import { normal } from "./linear_gaussian.js";
import { exploding } from "./exploding.js";
import { Axes, steps } from "./chart.js";
import { fixed, general } from "./frame.js";
import { remembered } from "./noise.js";

/** @typedef {ReturnType<typeof compute>} Data */
/** @typedef {ReturnType<typeof build>} Marks */

const TAUS = steps(2, 0.1, 80, true);
const Z = steps(-3.4, 3.4, 341), HIGHEST_DENSITY = 2.2;
const AROUND = steps(-4, 4, 81); // of a code, in its widths
const LOWEST = -4, HIGHEST = 13; // of the curves' axis, in nats

const along = remembered((/** @type {number} */ floor) => TAUS.map((tau) => exploding(tau, floor)), 8);

/** @param {{ tau: number, lam: number, floor: number }} settings */
function compute({ tau, lam, floor }) {
  const now = exploding(tau, floor), widths = [...TAUS.filter((wider) => wider > tau * 1.0001), tau];
  const terms = [...along(floor).slice(0, widths.length - 1), now];
  const objectives = terms.map(({ elbo, aggregateKl }) => elbo - (lam - 1) * aggregateKl);
  return {
    tau,
    lam,
    now,
    noise: Math.max(Math.exp(-1 / (8 * tau ** 2)), floor),
    widths,
    objectives,
    objective: objectives[objectives.length - 1],
    logLikelihoods: terms.map((term) => term.logLikelihood),
    posteriorKls: terms.map((term) => term.posteriorKl),
  };
}

/** @param {Data} data */
const numbers = ({ now, objective }) => ({
  elbo: now.elbo,
  log_likelihood: now.logLikelihood,
  posterior_kl: now.posteriorKl,
  mutual_information: now.mutualInformation,
  aggregate_kl: now.aggregateKl,
  objective,
});

/** @param {HTMLElement} figure */
function build(figure) {
  const latent = new Axes(figure, {
    height: 320,
    x: { from: Z[0], to: Z[Z.length - 1], ticks: [-3, -2, -1, 0, 1, 2, 3], label: "z" },
    y: { from: 0, to: HIGHEST_DENSITY },
    key: {
      "prior p(z)": "live-prior live-area",
      "posterior, x = 1": "live-exact",
      "q(z | ±1)": "live-q live-thick",
      "decoder: sign z": "live-decoder live-thin",
    },
  });
  const curve = new Axes(figure, {
    height: 320,
    x: {
      from: 2.1,
      to: 0.09,
      log: true,
      ticks: [2, 1, 0.5, 0.2, 0.1],
      label: "width τ, shrinking →",
    },
    y: { from: LOWEST, to: HIGHEST, ticks: [0, 5, 10], label: "nats" },
    key: { "log p(x)": "live-exact", "objective (λ = 1: ELBO)": "live-elbo", "KL(q ‖ posterior)": "live-piwae" },
  });
  latent.area(latent.mark("live-prior live-area live-faint"), Z, Z.map((z) => normal(z, 0, 1)));
  latent.line(latent.mark("live-decoder live-thin"), [Z[0], 0, 0, Z[Z.length - 1]], [1.05, 1.05, 1.25, 1.25]);
  return {
    latent,
    curve,
    codes: latent.mark("live-q live-thick"),
    posterior: latent.mark("live-exact"),
    gap: curve.mark("live-piwae"),
    objective: curve.mark("live-elbo"),
    truth: curve.mark("live-exact"),
    dot: curve.mark("live-elbo live-big live-dot"),
  };
}

/**
 * @param {Marks} marks
 * @param {Data} data
 */
function update({ latent, curve, ...marks }, data) {
  const { tau, noise, widths, objective } = data;
  const near = [...Z, ...[-1, 1].flatMap((x) => AROUND.map((eps) => x + tau * eps))].sort((a, b) => a - b);
  latent.line(marks.codes, near, near.map((z) => Math.max(normal(z, -1, tau), normal(z, 1, tau))));
  const odds = Math.exp(-2 / noise ** 2); // of x = 1 from z < 0
  latent.line(marks.posterior, Z, Z.map((z) => ((z > 0 ? 1 : odds) / (0.5 * (1 + odds))) * normal(z, 0, 1)));
  curve.line(marks.objective, widths, data.objectives);
  curve.line(marks.truth, widths, data.logLikelihoods);
  curve.line(marks.gap, widths, data.posteriorKls);
  curve.dots(marks.dot, [[tau, Math.min(Math.max(objective, LOWEST), HIGHEST)]]);
}

/** @param {Data} data */
function sentence({ tau, lam, now, noise, widths, objectives, objective }) {
  const best = widths[objectives.indexOf(Math.max(...objectives))];
  const goal = ` Objective at λ = ${lam.toFixed(1)}: ${fixed(objective, 2)}, best so far at τ = ${best.toFixed(2)}.`;
  return (
    `τ = ${tau.toFixed(2)}, decoder noise ${general(noise, 2)}: ELBO ${fixed(now.elbo, 2)} nats, ` +
    `log p(x) ${fixed(now.logLikelihood, 2)}, KL(q ‖ posterior) ${fixed(now.posteriorKl, 2)}; ` +
    `information ${fixed(now.mutualInformation, 2)}, KL(q(z) ‖ p) ${fixed(now.aggregateKl, 2)}.` +
    (lam === 1 ? "" : goal)
  );
}

export const explodeLab = { compute, numbers, build, update, sentence };
