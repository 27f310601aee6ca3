// A live lab's panel and its charts, in a document that is a stub.

import test from "node:test";
import assert from "node:assert/strict";
import { element, install } from "./dom.js";
import { addressOf, settingsIn } from "../../site/live/address.js";
import { Axes } from "../../site/live/chart.js";
import { mount } from "../../site/live/frame.js";

install();
const frames = [];
globalThis.requestAnimationFrame = (draw) => frames.push(draw);
globalThis.cancelAnimationFrame = () => {};
const TWICE = {
  compute: ({ a, seed }, { times }) => ({ product: times * a, seed }),
  build: (figure) => figure.appendChild(element("div")),
  update: (mark, { product }) => (mark.textContent = String(product)),
  sentence: ({ product, seed }) => `It is ${product}, seed ${seed}.`,
  numbers: ({ product }) => ({ product, limit: Infinity }),
};
const CONTROLS = [
  { name: "a", kind: "slider", label: "A", min: 1, max: 5, stops: [1, 2, 5], digits: 0, whole: true, value: 2 },
  { name: "seed", kind: "seed", label: "New noise", value: 0 },
];

const address = { replaced: [], listeners: [] };
globalThis.location = { hash: "" };
globalThis.history = { state: 7, replaceState: (...told) => address.replaced.push(told) };
globalThis.addEventListener = (type, listener) => address.listeners.push([type, listener]);

function mounted(name) {
  const root = element("div", { scrollIntoView: () => (root.inSight = true) });
  if (name) root.dataset.lab = name;
  const lab = mount(root, TWICE, {
    title: "Twice",
    controls: CONTROLS,
    presets: { high: { a: 5 } },
    facts: { times: 3 },
  });
  const press = (words) => root.querySelectorAll("button").find((one) => one.textContent === words).fire("click");
  const sentence = () => root.querySelectorAll(".vaecourse-sentence")[0].textContent;
  return { root, lab, press, sentence };
}

test("a panel shows what its experiment computes, and says it", () => {
  const { root, sentence } = mounted(), [figure] = root.querySelectorAll(".live-figure");
  assert.equal(sentence(), "It is 6, seed 0.");
  assert.deepEqual([figure.attributes.role, figure.attributes["aria-label"]], ["img", "Twice. It is 6, seed 0."]);
  assert.equal(figure.children[0].attributes["aria-hidden"], "true");
  assert.equal(root.dataset.settings, '{"a":2,"seed":0}');
  assert.equal(root.dataset.numbers, '{"product":6,"limit":"inf"}');
});

test("presets, Reset and hands change it; many moves between two frames are drawn once", () => {
  const { root, lab, press, sentence } = mounted(), [input] = root.querySelectorAll("input");
  frames.length = 0;
  press("high");
  press("New noise");
  assert.equal(frames.length, 1);
  frames[0]();
  assert.equal(sentence(), "It is 15, seed 1.");
  input.value = "0";
  input.fire("input");
  frames[1]();
  assert.equal(sentence(), "It is 3, seed 1.");
  press("Reset");
  lab.flush();
  assert.equal(sentence(), "It is 6, seed 0.");
  lab.set({ a: 5 });
  assert.deepEqual(lab.flush(), { product: 15, seed: 0 });
});

test("an address and its settings: both ways, and what a control cannot be is passed over", () => {
  const controls = [
    { name: "K", kind: "slider", min: 1, max: 1000, whole: true },
    { name: "width", kind: "slider", min: 0.3, max: 3 },
    { name: "tau", kind: "choice", options: ["prior (SIVI)", "M K = 64: M follows K", "RBF / d²"] },
    { name: "pooled", kind: "switch" },
    { name: "seed", kind: "seed" },
  ];
  for (
    const settings of [
      { K: 64, width: 0.4375, tau: "M K = 64: M follows K", pooled: true, seed: 4294967295 },
      { K: 1, width: 3, tau: "RBF / d²", pooled: false, seed: 0 },
    ]
  ) {
    assert.deepEqual(settingsIn(addressOf("03.iwae", settings), "03.iwae", controls), settings);
  }
  assert.equal(addressOf("03.iwae", { K: 64, width: 0.4 }), "#lab=03.iwae&K=64&width=0.4");
  for (
    const bad of [
      "K=1001",
      "K=0",
      "K=2.5",
      "K=",
      "K=%20",
      "K=a",
      "width=NaN",
      "width=Infinity",

      "x=1",
      "pooled=yes",
      "seed=-1",
      "seed=0.5",
      "seed=4294967296",
    ]
  ) {
    assert.deepEqual(settingsIn(`#lab=03.iwae&${bad}&tau=RBF / d²`, "03.iwae", controls), { tau: "RBF / d²" }, bad);
  }
  for (const other of ["", "#", "#weights", "#lab=06.mmd&K=8", "#K=8"]) {
    assert.equal(settingsIn(other, "03.iwae", controls), undefined);
  }
});

test("a lab begins, and goes on, where the address says, and a move is told in it", () => {
  globalThis.location.hash = "#lab=twice&a=5&seed=x";
  const { root, lab, sentence } = mounted("twice");
  assert.deepEqual([sentence(), root.inSight, address.replaced], ["It is 15, seed 0.", true, []]);
  const [type, follow] = address.listeners.find(([type]) => type === "hashchange");
  globalThis.location.hash = "#lab=twice&seed=3"; // what is not named goes back to its default
  follow();
  assert.deepEqual([type, sentence()], ["hashchange", "It is 6, seed 3."]);
  globalThis.location.hash = "#somewhere-else";
  follow();
  assert.equal(sentence(), "It is 6, seed 3.");
  frames.length = 0;
  lab.flush();
  lab.set({ a: 1 });
  frames.at(-1)();
  assert.deepEqual(address.replaced, [[7, "", "#lab=twice&a=1&seed=3"]]);
});

test("marks: a gap where a point is not finite, bars, dots, strokes, straight lines", () => {
  const axes = new Axes(element("div"), {
    width: 162,
    height: 152,
    x: { from: 0, to: 10, ticks: [0, -5] },
    y: { from: 0, to: 5, ticks: [5], name: (tick) => `${tick} nats` },
    key: { line: "live-q" },
  });
  assert.deepEqual([axes.width, axes.height], [100, 100]);
  const mark = axes.mark("live-q"), drawn = () => mark.attributes.d;
  axes.line(mark, [0, 5, 6, 7, 10], [0, 5, NaN, 1, 2]);
  assert.equal(drawn(), "M0.00 100.00L50.00 0.00M70.00 80.00L100.00 60.00");
  axes.line(mark, [0, 10], [-Infinity, -1e9]); // far below the picture, and no number that SVG cannot read
  assert.equal(drawn(), "M0.00 100000.00L100.00 100000.00");
  axes.bars(mark, [0, 5, 10], [1, 2]);
  assert.equal(drawn(), "M0.00 80.00L50.00 80.00L50.00 60.00L100.00 60.00L100.00 100L0.00 100Z");
  axes.dots(mark, [[1, 1], [2, 2]]);
  assert.equal(drawn(), "M10.00 80.00h0M20.00 60.00h0");
  axes.strokes(mark, [[[1, 1], [2, 2]]]);
  assert.equal(drawn(), "M10.00 80.00L20.00 60.00");
  axes.vertical(mark, 5);
  assert.equal(drawn(), "M50.00 0V100");
  axes.horizontal(mark, 5);
  assert.equal(drawn(), "M0 0.00H100");
  axes.boxes(mark, [[[0, 0], [5, 5]], [[5, 1], [10, 2]]]);
  assert.equal(drawn(), "M0.00 100.00H50V0H0ZM50.00 80.00H100V60H50Z");
  const words = axes.words();
  axes.write(words, 5, 5, "-1.2", 4);
  assert.deepEqual([words.attributes.x, words.attributes.y, words.textContent], ["50.00", "-4.00", "−1.2"]);
});

test("what leaves the picture lies at its edge, and a triangle tells so", () => {
  const axes = new Axes(element("div"), {
    width: 124,
    height: 152,
    x: { from: 0, to: 10 },
    y: { from: 1, to: 5 },
    key: {},
  });
  const marks = axes.edged("live-q"), drawn = () => [marks.inside.attributes.d, marks.outside.attributes.d];
  axes.edgedLine(marks, [0, 5, 10], [0, 3, 6]);
  assert.deepEqual(drawn(), ["M0.00 100.00L50.00 50.00L100.00 0.00", "M0.0 99l-4 -7h8ZM100.0 1l-4 7h8Z"]);
  axes.edgedDots(marks, [[5, 3], [10, -Infinity]]);
  assert.deepEqual(drawn(), ["M50.00 50.00h0M100.00 100.00h0", "M100.0 99l-4 -7h8Z"]);
  axes.edgedLine(marks, [1, 2], [1, 5]);
  assert.equal(marks.outside.attributes.d, ""); // at the edge is in the picture
});
