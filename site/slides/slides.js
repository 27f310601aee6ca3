// Shows a deck: when formulas, pictures and fonts have their sizes, every section is laid out on as many slides of
// 1280 x 720 as it needs. Then reveal.js takes over.

/// <reference path="../globals.d.ts" />
import { HEIGHT, WIDTH } from "./fit.js";
import { layOut } from "./layout.js";

async function show() {
  await MathJax.startup.promise;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  await document.fonts.ready;
  fill(/** @type {HTMLElement} */ (document.querySelector("#deck")));
  await Reveal.initialize({
    width: WIDTH,
    height: HEIGHT,
    margin: 0,
    center: false,
    hash: true,
    slideNumber: "c/t",
    navigationMode: "linear",
    transition: "none",
    backgroundTransition: "none",
    plugins: [RevealNotes],
  });
  document.body.dataset.ready = "yes";
}

/** @param {HTMLElement} deck */
function fill(deck) {
  const measure = document.createElement("div");
  measure.className = "measure reveal slides";
  document.body.append(measure);
  for (const stack of document.querySelectorAll("#source > section")) {
    const target = document.createElement("section");
    let above = "";
    for (const section of /** @type {HTMLElement[]} */ ([...stack.children])) {
      const headings = [...section.querySelectorAll("h1, h2, h3")].map((heading) => heading.innerHTML);
      target.append(...layOut(section, measure, above));
      above = headings[headings.length - 1] || above;
    }
    deck.append(target);
  }
  measure.remove();
  document.querySelector("#source")?.remove();
}

show();
