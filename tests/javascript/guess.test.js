// Where a stroke on the picture meets the anchors of a curve, and which stop is nearest to a place.

import test from "node:test";
import assert from "node:assert/strict";
import { crossed, nearest } from "../../vaecourse/labs/js/guess.js";

test("a stroke sets the anchors that it goes over, at the height that it has there, in both directions", () => {
  const anchors = [0, 0.25, 0.5, 1];
  assert.deepEqual(crossed(anchors, [0.125, 0], [0.625, 1]), [[1, 0.25], [2, 0.75]]);
  assert.deepEqual(crossed(anchors, [0.625, 1], [0.125, 0]).map(([at]) => at), [1, 2]);
  assert.deepEqual(crossed(anchors, [0.3, 0], [0.4, 1]), []);
  assert.deepEqual(crossed(anchors, [0.5, 0], [0.5, 1]), []); // straight up: where it began was set already
});

test("a stroke sets the anchors at its own two ends", () => {
  assert.deepEqual(crossed([0, 0.5, 1], [0, 3], [0.5, 4]), [[0, 3], [1, 4]]);
});

test("the nearest of some places", () => {
  assert.equal(nearest([0, 0.4, 1], 0.75), 2);
  assert.equal(nearest([0, 0.4, 1], -3), 0);
  assert.equal(nearest([1, 0.4, 0], 0.5), 1); // an axis that runs the other way
});
