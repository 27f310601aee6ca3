// Makes every lab on this page live. Its still picture stays for a reader whose browser cannot.

import { mount } from "./frame.js";
import { iwaeLab } from "./iwae_lab.js";
import { mmdLab } from "./mmd_lab.js";

const EXPERIMENTS = { "03.iwae": iwaeLab, "06.mmd": mmdLab };

/** @typedef {HTMLElement & { lab: import("./lab.d.ts").Mounted }} Root */

for (const root of /** @type {NodeListOf<Root>} */ (document.querySelectorAll(".live:not([data-from])"))) {
  /** @type {HTMLElement | null | undefined} */
  const still = root.closest("section, article")?.querySelector(".tag_live-still .cell_output");
  const given = JSON.parse(root.querySelector("script")?.textContent ?? "");
  const name = /** @type {keyof typeof EXPERIMENTS} */ (root.dataset.lab);
  /** @type {import("./lab.d.ts").Experiment<any, any>} */
  const experiment = EXPERIMENTS[name];
  root.lab = mount(root, experiment, given);
  root.hidden = false;
  if (still) still.hidden = true;
}
