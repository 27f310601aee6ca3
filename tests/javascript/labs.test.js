// Whole labs of the site against those of the package: what they find at some settings, and what they say.

import test from "node:test";
import assert from "node:assert/strict";
import { close, values } from "./compare.js";
import { EXPERIMENTS } from "../../site/live/experiments.js";

const PAGE = 2e-6; // float32 noise keeps seven digits, and so does what a page integrates

for (const [name, { facts, cases }] of Object.entries(values.labs)) {
  for (const { settings, numbers: expected, sentence } of cases) {
    test(`${name}, ${JSON.stringify(settings)}`, () => {
      const experiment = EXPERIMENTS[name], data = experiment.compute(settings, facts);
      const numbers = experiment.numbers(data);
      assert.deepEqual(Object.keys(numbers).sort(), Object.keys(expected).sort());
      for (const [key, value] of Object.entries(expected)) close(numbers[key], value, PAGE, key);
      assert.equal(experiment.sentence(data), sentence);
    });
  }
}
