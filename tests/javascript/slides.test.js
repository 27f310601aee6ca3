// How a section is laid out on slides, in a document that is a stub: elements below each other, of given heights.

import test from "node:test";
import assert from "node:assert/strict";
import { element, install, PADDING } from "./dom.js";
import { HEIGHT } from "../../site/slides/fit.js";
import { layOut } from "../../site/slides/layout.js";

install();
const ROOM = HEIGHT - PADDING;
const block = (size, tag = "p", more = {}) => element(tag, { size, ...more });
const heading = (words, size = 50, tag = "h2") => element(tag, { size, innerHTML: words });
const list = (tag, ...sizes) => element(tag, {}, ...sizes.map((size) => block(size, "li")));

function pagesOf(units, above = "") {
  const pages = layOut(element("section", {}, ...units), element("div"), above);
  for (const page of pages) assert.ok(page.extent <= ROOM, `a page is ${page.extent} high`);
  return pages;
}

// What is on each page: tags, and the words of a running heading.
const outline = (pages) =>
  pages.map((page) => page.children.map((c) => c.innerHTML || c.tagName.toLowerCase()).join(" "));

test("what fits is one page, and what does not goes on under the same heading", () => {
  assert.deepEqual(outline(pagesOf([heading("A"), block(300), block(300)])), ["A p p"]);
  assert.deepEqual(outline(pagesOf([heading("A"), block(300), block(300), block(300)])), ["A p p", "A p"]);
  assert.deepEqual(outline(pagesOf([block(300)], "before")), ["before p"]);
  assert.deepEqual(pagesOf([]), []);
});

test("a heading goes overleaf with what it heads", () => {
  const pages = pagesOf([heading("A"), block(500), heading("small", 50, "h4"), block(300)]);
  assert.deepEqual(outline(pages), ["A p", "small p"]);
});

test("what is too large for one slide is made smaller, under its heading", () => {
  const large = block(1000), [page] = pagesOf([heading("A"), large]);
  assert.deepEqual(page.children.length, 2);
  assert.equal(large.dataset.shrunk, "0.63"); // 98 % of 650 / 1000
  const alone = block(1400, "pre");
  assert.deepEqual([pagesOf([alone]).length, alone.dataset.shrunk], [1, "0.49"]);
});

test("a picture is made smaller, and its caption is not", () => {
  const picture = block(900, "img", { width: 1000 }), figure = element("figure", {}, picture, block(60, "figcaption"));
  const pages = layOut(element("section", {}, figure), element("div"), "");
  assert.equal(pages.length, 1);
  assert.equal(picture.style.width, `${Math.floor(1000 * (900 - (960 - ROOM) - 2) / 900)}px`);
});

for (const [tag, starts] of [["ul", [undefined, undefined, undefined]], ["ol", [1, 4, 7]]]) {
  test(`a long ${tag} goes on overleaf item by item`, () => {
    const pages = pagesOf([list(tag, 200, 200, 200, 200, 200, 200, 200)]);
    const lists = pages.map((page) => page.lastElementChild);
    assert.deepEqual(lists.map((one) => one.children.length), [3, 3, 1]);
    assert.deepEqual(lists.map((one) => one.start), starts);
    assert.ok(pages.every((page) => page.children.length === 1));
  });
}

test("a long table has its head on every page, and no row is lost", () => {
  const rows = Array.from({ length: 17 }, (_, i) => block(100, "tr", { row: i }));
  const table = element("table", {}, block(80, "thead"), element("tbody", {}, ...rows));
  const tables = pagesOf([heading("A"), table]).map((page) => page.lastElementChild);
  assert.deepEqual(tables.map((one) => [one.tHead.size, one.tBodies.length]), tables.map(() => [80, 1]));
  assert.deepEqual(tables.flatMap((one) => one.tBodies[0].rows.map((row) => row.row)), rows.map((row) => row.row));
  assert.deepEqual(tables.map((one) => one.tBodies[0].rows.length), [5, 6, 6]);
});

test("two long lists stay two", () => {
  const pages = pagesOf([list("ul", 250, 250, 250), list("ul", 250, 250, 250)]);
  assert.deepEqual(pages.map((page) => page.children.map((one) => one.children.length)), [[2], [1, 1], [2]]);
});

test("a short list goes overleaf whole", () => {
  assert.deepEqual(outline(pagesOf([block(500), list("ul", 100, 100, 100)])), ["p", "ul"]);
});

test("a wide formula is drawn smaller", () => {
  const formula = element("mjx-container", {}, element("svg", { width: 2480, size: 30 }));
  pagesOf([element("p", {}, formula)]);
  assert.equal(formula.style.fontSize, "48%"); // 97 % of 1240 / 2480
});

test("steps: what comes with the first thing on a page is there at once; notes are on every page", () => {
  const units = [
    heading("A"),
    block(300, "p", { dataset: { step: "1" } }),
    block(300, "p", { dataset: { step: "2" } }),
  ];
  const late = block(300, "p", { dataset: { step: "3" } }), notes = element("aside", { innerHTML: "say" });
  const pages = pagesOf([...units, late, notes]);
  assert.deepEqual(outline(pages), ["A p p say", "A p say"]);
  assert.deepEqual(units.map((unit) => unit.dataset.fragmentIndex), [undefined, "1", "2"]);
  assert.deepEqual([late.dataset.fragmentIndex, late.classList.has("fragment")], [undefined, false]);
});
