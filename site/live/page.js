// Makes every lab on this page live. Its still picture stays for a reader whose browser cannot.

import { mount } from "./frame.js";
import { EXPERIMENTS } from "./experiments.js";

/** @typedef {HTMLElement & { lab: import("./lab.d.ts").Mounted }} Root */

for (const root of /** @type {NodeListOf<Root>} */ (document.querySelectorAll(".live:not([data-from])"))) {
  /** @type {HTMLElement | null | undefined} */
  const still = root.closest("section, article")?.querySelector(".tag_live-still .cell_output");
  const given = JSON.parse(root.querySelector("script")?.textContent ?? "");
  root.lab = mount(root, EXPERIMENTS[root.dataset.lab ?? ""], given);
  root.hidden = false;
  if (still) still.hidden = true;
}
