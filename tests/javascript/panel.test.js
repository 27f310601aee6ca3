// A live lab's panel and its charts, in a document that is a stub.

import test from "node:test";
import assert from "node:assert/strict";
import { element, install } from "./dom.js";
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
  { name: "a", kind: "slider", label: "A", stops: [1, 2, 5], digits: 0, whole: true, value: 2 },
  { name: "seed", kind: "seed", label: "New noise", value: 0 },
];

function mounted() {
  const root = element("div");
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

test("marks: a gap where a point is not finite, bars, dots, strokes, straight lines", () => {
  const axes = new Axes(element("div"), {
    width: 156,
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
});
