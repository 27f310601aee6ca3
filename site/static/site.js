// Two repairs for people who use a keyboard or a screen reader.
addEventListener("load", async () => {
  // myst-nb gives a folded cell a name that is not what is written on it.
  for (const summary of document.querySelectorAll("summary[aria-label]")) summary.removeAttribute("aria-label");
  // What scrolls can be reached by Tab.
  await window.MathJax?.startup?.promise;
  for (const box of document.querySelectorAll("article mjx-container[display], article table, article pre")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  }
});
