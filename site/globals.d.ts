// What other scripts of a page or a deck have put there.

declare global {
  var MathJax: { startup: { promise: Promise<void> } };
  var Reveal: { initialize(options: object): Promise<void> };
  var RevealNotes: object;
}

export {};
