// Where a density on a square grid is as high as a level: lines through the grid's cells, and the levels that hold a
// given share of it.

/**
 * The heights above which the densest points hold these shares of the whole, in the order of the shares.
 * @param {Float64Array} logP unnormalised
 * @param {number[]} shares
 */
export function levels(logP, shares) {
  let top = -Infinity, whole = 0;
  for (const value of logP) top = Math.max(top, value);
  const high = logP.filter((value) => value > top - 20).sort().reverse();
  for (const value of high) whole += Math.exp(value - top);
  let held = 0, at = 0;
  return shares.map((share) => {
    while (
      at < high.length - 1 && held + Math.exp(high[at] - top) < share * whole
    ) held += Math.exp(high[at++] - top);
    return high[at];
  });
}

// A cell's corners are 1 2 / 8 4, its edges top 0, right 1, bottom 2, left 3: which edges a line joins, by the corners
// that are higher.
const JOINED = [[], [[3, 0]], [[0, 1]], [[3, 1]], [[1, 2]], [[3, 0], [1, 2]], [[0, 2]], [[3, 2]]];

/**
 * Lines along which the values, [side side] row by row, are `level`: lists of [column, row], not whole numbers.
 * @param {ArrayLike<number>} values
 * @param {number} side
 * @param {number} level
 * @returns {number[][][]}
 */
export function contours(values, side, level) {
  /** @type {Map<string, string[]>} */
  const next = new Map();
  const join = (/** @type {string} */ a, /** @type {string} */ b) => {
    for (const [from, to] of [[a, b], [b, a]]) {
      next.set(from, [...(next.get(from) ?? []), to]);
    }
  };
  const higher = (/** @type {number} */ row, /** @type {number} */ column) => +(values[row * side + column] > level);
  for (let row = 0; row < side - 1; row++) {
    for (let column = 0; column < side - 1; column++) {
      const bits = higher(row, column) + 2 * higher(row, column + 1) +
        4 * higher(row + 1, column + 1) +
        8 * higher(row + 1, column);
      if (bits === 0 || bits === 15) continue;
      const edges = [
        `h ${row} ${column}`,
        `v ${row} ${column + 1}`,
        `h ${row + 1} ${column}`,
        `v ${row} ${column}`,
      ];
      for (
        const [a, b] of bits === 10 ? [[0, 1], [2, 3]] : JOINED[bits < 8 ? bits : 15 - bits]
      ) join(edges[a], edges[b]);
    }
  }
  return chained(next).map((line) => line.map((edge) => crossing(edge, values, side, level)));
}

/**
 * Edges that are joined, as lines: those that end at the border first, then those that are closed.
 * @param {Map<string, string[]>} next
 */
function chained(next) {
  const lines = [],
    starts = [...next.keys()].sort((a, b) => (next.get(a)?.length ?? 0) - (next.get(b)?.length ?? 0));
  for (const start of starts) {
    if (!next.has(start)) continue;
    const closed = next.get(start)?.length === 2, line = [];
    for (
      let at = /** @type {string | undefined} */ (start);
      at !== undefined;
    ) {
      line.push(at);
      const on = next.get(at);
      next.delete(at);
      at = on?.find((edge) => next.has(edge));
    }
    lines.push(closed ? [...line, start] : line);
  }
  return lines;
}

/**
 * The point of an edge at which the values pass the level, by a straight line.
 * @param {string} edge
 * @param {ArrayLike<number>} values
 * @param {number} side
 * @param {number} level
 */
function crossing(edge, values, side, level) {
  const [way, row, column] = edge.split(" "),
    at = Number(row) * side + Number(column);
  const from = values[at],
    to = values[at + (way === "h" ? 1 : side)],
    share = (level - from) / (to - from);
  return way === "h" ? [Number(column) + share, Number(row)] : [Number(column), Number(row) + share];
}
