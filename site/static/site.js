// Repairs for people who use a keyboard or a screen reader.

/// <reference path="../globals.d.ts" />
addEventListener("load", async () => {
  // A name must hold what is written: not so on myst-nb's folded cells and on the theme's field for a search.
  for (const named of document.querySelectorAll("summary[aria-label], .search-button-field")) {
    named.removeAttribute("aria-label");
  }
  // The theme's arrow that unfolds a part of the list of pages has no name at all.
  for (const arrow of document.querySelectorAll(".bd-sidebar-primary li > details > summary")) {
    arrow.setAttribute("aria-label", `Pages of ${arrow.closest("li")?.querySelector("a")?.textContent?.trim()}`);
  }
  // What scrolls can be reached by Tab: now, in a narrower window, and in what was folded.
  await globalThis.MathJax?.startup?.promise;
  const reach = () => {
    for (const box of document.querySelectorAll("article :is(mjx-container[display], table, pre, .cell_output)")) {
      if (box.scrollWidth > box.clientWidth) /** @type {HTMLElement} */ (box).tabIndex = 0;
    }
  };
  reach();
  addEventListener("resize", reach);
  addEventListener("toggle", reach, true); // it does not bubble
  document.body.dataset.repaired = "yes";
});
