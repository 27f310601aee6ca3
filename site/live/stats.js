// What is told of a list of numbers.

/** @typedef {ArrayLike<number>} Numbers */

/** @param {Numbers} values */
export function average(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum / values.length;
}

/**
 * The sum of squares is divided by the number of values less `lost`.
 * @param {Numbers} values
 */
export function standardDeviation(values, lost = 0) {
  const middle = average(values);
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] - middle) ** 2;
  return Math.sqrt(squares / (values.length - lost));
}

/**
 * numpy's quantile, between two of the numbers where it falls between.
 * @param {Float64Array} values
 * @param {number} share
 */
export function quantile(values, share) {
  const sorted = values.slice().sort(),
    at = share * (sorted.length - 1),
    low = Math.floor(at);
  return sorted[low] +
    (at - low) * (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]);
}

/** @param {Float64Array} values */
export const median = (values) => quantile(values, 0.5);

/**
 * The share of the values in each bin, the last edge included. Beyond the edges counts to the last bin with `clip`, and
 * nowhere without.
 * @param {Numbers} values
 * @param {number[]} edges
 */
export function histogram(values, edges, clip = false) {
  const bins = edges.length - 1, share = new Float64Array(bins);
  for (let i = 0; i < values.length; i++) {
    const value = clip ? Math.min(Math.max(values[i], edges[0]), edges[bins]) : values[i];
    if (!(value >= edges[0] && value <= edges[bins])) continue;
    let low = 0, high = bins;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (edges[middle] <= value) low = middle;
      else high = middle;
    }
    share[low] += 1 / values.length;
  }
  return share;
}

/**
 * What there is to say of values beyond the ends of a histogram that shows them in its outer bars.
 * @param {Float64Array} values
 * @param {number[]} edges
 */
export function beyond(values, edges) {
  const share = values.filter((value) => value < edges[0] || value > edges[edges.length - 1]).length / values.length;
  return share ? `outer bars: ${(100 * Math.max(share, 0.001)).toFixed(1)}% lie beyond` : "";
}

/**
 * Heights as parts of the highest.
 * @param {Float64Array} heights
 */
export function ofHighest(heights) {
  const most = heights.reduce((most, height) => Math.max(most, height), 1e-12);
  return heights.map((height) => height / most);
}
