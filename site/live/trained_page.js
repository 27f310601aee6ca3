// Makes what was trained live on this page: the VAE, and the recorded runs. A still picture stays until it is.

import { mount } from "./frame.js";
import { data, seen } from "./seen.js";
import { Plane, Vae } from "./vae.js";
import { vaeLab } from "./vae_lab.js";
import { replayOf } from "./replay.js";

/** @import { Recording, StoredVae } from "./trained.d.ts" */

/** @typedef {HTMLElement & { lab: import("./lab.d.ts").Mounted }} Root */

/** @param {StoredVae} file */
async function vaeIn(file) {
  const vae = new Vae(file);
  return {
    experiment: vaeLab,
    facts: { vae, choices: file.choices, plane: await new Plane(vae, file.grid).decoded() },
  };
}

/** @param {Root} root */
async function live(root) {
  const name = root.dataset.lab ?? "";
  root.hidden = false; // or it is never seen
  await seen(root);
  const file = await data(name, root.dataset.from ?? "");
  const given = JSON.parse(root.querySelector("script")?.textContent ?? "");
  const { experiment, facts } = name === "vae" ? await vaeIn(file) : replayOf(name, /** @type {Recording} */ (file));
  /** @type {HTMLElement | null | undefined} */
  const still = root.closest("section, article")?.querySelector(`.tag_live-still .cell_output`);
  root.lab = mount(
    root,
    /** @type {import("./lab.d.ts").Experiment<any, any>} */ (experiment),
    { ...given, facts },
  );
  if (still) still.hidden = true;
}

for (
  const root of /** @type {NodeListOf<Root>} */ (document.querySelectorAll(".live[data-from]"))
) live(root);
