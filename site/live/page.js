// Makes every lab on this page live. Its still picture stays for a reader whose browser cannot.

import { mount } from "./frame.js";
import { EXPERIMENTS } from "./experiments.js";

/** @typedef {HTMLElement & { lab: import("./lab.d.ts").Mounted }} Root */

const stills = /** @type {HTMLElement[]} */ ([...document.querySelectorAll(".tag_live-still .cell_output")]);

for (const root of /** @type {NodeListOf<Root>} */ (document.querySelectorAll(".live:not([data-from])"))) {
  const still = stills.findLast((still) => still.compareDocumentPosition(root) & Node.DOCUMENT_POSITION_FOLLOWING);
  const given = JSON.parse(root.querySelector("script")?.textContent ?? "");
  root.hidden = false;
  root.lab = mount(root, EXPERIMENTS[root.dataset.lab ?? ""], given);
  if (still) still.hidden = true;
}
