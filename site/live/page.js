// Makes every lab on this page live. Its still picture stays for a reader whose browser cannot.

import { mount } from "./frame.js";
import { iwaeLab } from "./iwae_lab.js";
import { mmdLab } from "./mmd_lab.js";

const EXPERIMENTS = { "03.iwae": iwaeLab, "06.mmd": mmdLab };

for (const root of document.querySelectorAll(".live")) {
  const still = root.closest("section, article").querySelector(".tag_live-still .cell_output");
  const facts = JSON.parse(root.querySelector("script").textContent);
  root.lab = mount(root, EXPERIMENTS[root.dataset.lab], facts);
  root.hidden = false;
  if (still) still.hidden = true;
}
