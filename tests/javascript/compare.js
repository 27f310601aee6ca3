// What every test here needs: the values of the package, and what it is to be equal to one of them.

import assert from "node:assert/strict";
import fs from "node:fs";

export const values = JSON.parse(fs.readFileSync(new URL("values.json", import.meta.url), "utf8"));

// Numbers, and lists of them however deep, up to `tolerance`: absolute below 1, and relative above.
export function close(found, expected, tolerance = 1e-9, at = "value") {
  if (typeof expected === "object") {
    assert.equal(found.length, expected.length, `${at}.length`);
    expected.forEach((value, i) => close(found[i], value, tolerance, `${at}[${i}]`));
    return;
  }
  const wanted = expected === "inf" ? Infinity : expected;
  const fits = found === wanted || Math.abs(found - wanted) <= tolerance * Math.max(1, Math.abs(wanted));
  assert.ok(fits, `${at} is ${found}, and ${wanted} in the package`);
}
