// Numbers as words, places in a chart, and what a slide has room for.

import test from "node:test";
import assert from "node:assert/strict";
import { close, values } from "./compare.js";
import { format, nearest } from "../../vaecourse/labs/js/control.js";
import { scale, steps } from "../../site/live/chart.js";
import { fixed, general, percent, withMinus } from "../../site/live/frame.js";
import { histogram, quantile } from "../../site/live/stats.js";
import { formulaPercent, fragments, HEIGHT, isLong, pictureShare, zoom } from "../../site/slides/fit.js";

for (const { stops, digits, ...expected } of values.controls) {
  test(`a slider from ${stops[0]} to ${stops.at(-1)}`, () => {
    for (const [value, text] of expected.texts) assert.equal(format(value, digits), text);
    for (const [value, place] of expected.nearest) assert.equal(nearest(stops, value), place);
    assert.equal(nearest(stops, -Infinity), 0);
    assert.equal(nearest(stops, 1e9), stops.length - 1);
  });
}

test("numbers are written as Python writes them", () => {
  for (const [value, digits, sign, text] of values.words.general) {
    assert.equal(general(value, digits, sign === "+"), text);
  }
  for (const [value, digits, text] of values.words.fixed) assert.equal(fixed(value, digits), text);
  for (const [share, text] of values.words.percent) assert.equal(percent(share), text);
  assert.equal(withMinus("-1.5 and leave-one-out, 3-2"), "−1.5 and leave-one-out, 3−2");
});

for (const kind of ["linear", "log", "around 0"]) {
  test(`places on a ${kind} axis`, () => {
    const { direction, ends, at, places } = values.chart[kind];
    close(at.map(scale(direction, ...ends)), places);
    close([direction.from, direction.to].map(scale(direction, ...ends)), ends);
  });
}

test("steps and shares", () => {
  for (const [given, expected] of values.chart.steps) close(steps(...given), expected);
  for (const [numbers, edges, clip, expected] of values.chart.histogram) {
    close([...histogram(numbers, edges, clip)], expected);
    for (const [share, place] of edges[0] < 0 ? values.chart.quantiles : []) {
      close(quantile(Float64Array.from(numbers), share), place);
    }
  }
});

test("what a slide has room for", () => {
  assert.equal(formulaPercent(1940, 1000), 50); // 97 % of the room
  assert.equal(zoom(900, 450), 0.49); // 98 % of the room
  assert.equal(zoom(400, 450), 0.98); // never larger than it was
  assert.equal(pictureShare(500, 560, 310), (500 - 250 - 2) / 500); // the caption, 60 high, keeps its size
  assert.deepEqual([0.5, 0.7].map((share) => isLong(share * HEIGHT)), [false, true]);
  assert.deepEqual(fragments([undefined, "1", "1", "2"]), [undefined, "1", "1", "2"]);
  assert.deepEqual(fragments(["1", "1", undefined, "2"]), [undefined, undefined, undefined, "2"]);
});
