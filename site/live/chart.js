// Axes drawn once as SVG, and marks in them that are moved. Colours come from live.css, so that a page's theme may
// change under a picture that stands.

const SPACE = { left: 50, right: 12, top: 8, bottom: 44 };

const SUPERSCRIPTS = ["", "⁻¹", "⁻²", "⁻³", "⁻⁴", "⁻⁵", "⁻⁶"];

/** @import { Chart, Direction } from "./lab.d.ts" */
/** @typedef {ArrayLike<number>} Numbers */
/** @typedef {{ inside: Element, outside: Element }} Edged */

/**
 * @param {Element} parent
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 */
function add(parent, tag, attributes = {}, text = "") {
  const node = parent.appendChild(document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.textContent = text;
  return node;
}

export class Axes {
  /**
   * @param {HTMLElement} figure
   * @param {Chart} chart
   */
  constructor(figure, { width = 360, height = 190, x, y, key }) {
    const panel = figure.appendChild(document.createElement("div"));
    const words = panel.appendChild(document.createElement("div"));
    words.className = "live-key";
    for (const [text, mark] of Object.entries(key)) {
      const entry = words.appendChild(document.createElement("span"));
      entry.appendChild(document.createElement("i")).className = mark;
      entry.append(text);
    }
    const svg = add(panel, "svg", { viewBox: `0 0 ${width} ${height}` });
    const left = y.ticks || y.label ? SPACE.left : SPACE.right;
    this.width = width - left - SPACE.right;
    this.height = height - SPACE.top - SPACE.bottom;
    this.x = scale(x, 0, this.width);
    this.y = scale(y, this.height, 0);
    this.ends = y;
    const frame = add(svg, "g", { transform: `translate(${left} ${SPACE.top})` });
    this.#ticks(frame, x, y);
    this.inside = add(frame, "svg", { width: this.width, height: this.height }); // it clips
  }

  /**
   * @param {Element} frame
   * @param {Direction} x
   * @param {Direction} y
   */
  #ticks(frame, x, y) {
    const words = (/** @type {Direction} */ axis, /** @type {number} */ tick) =>
      (axis.name ?? String)(tick).replace(/-(?=\d)/, "−");
    for (const tick of x.ticks ?? []) {
      if (x.grid ?? true) add(frame, "path", { class: "live-grid", d: `M${this.x(tick)} 0V${this.height}` });
      words(x, tick).split("\n").forEach((line, i) => {
        const place = { x: this.x(tick), y: this.height + 18 + 15 * i, "text-anchor": "middle" };
        add(frame, "text", place, line);
      });
    }
    for (const tick of y.ticks ?? []) {
      add(frame, "path", { class: "live-grid", d: `M0 ${this.y(tick)}H${this.width}` });
      add(frame, "text", { x: -7, y: this.y(tick) + 5, "text-anchor": "end" }, words(y, tick));
    }
    add(frame, "path", {
      class: "live-axis",
      d: `M0 ${this.height}H${this.width}${y.ticks ? "M0 0V" + this.height : ""}`,
    });
    add(frame, "text", { x: this.width / 2, y: this.height + 38, "text-anchor": "middle" }, x.label ?? "");
    if (y.label) {
      const turned = `translate(-40 ${this.height / 2}) rotate(-90)`;
      add(frame, "text", { transform: turned, "text-anchor": "middle" }, y.label);
    }
  }

  /** @param {string} name */
  mark(name) {
    return add(this.inside, "path", { class: name });
  }

  /**
   * For what may leave the picture: triangles at the edge tell where it does. The first class is the colour.
   * @param {string} name
   */
  edged(name) {
    return { inside: this.mark(name), outside: this.mark(`${name.split(" ")[0]} live-out`) };
  }

  /**
   * Words that are moved, on a plate that keeps them legible.
   * @param {string} [anchor]
   */
  words(anchor = "middle") {
    return add(this.inside, "text", {
      class: "live-words",
      "text-anchor": anchor,
    });
  }

  /**
   * @param {Element} words
   * @param {number} x
   * @param {number} y
   * @param {string} text
   * @param {number} [up] in units of the picture
   */
  write(words, x, y, text, up = 0) {
    words.setAttribute("x", this.x(x).toFixed(2));
    words.setAttribute("y", (this.y(y) - up).toFixed(2));
    words.textContent = text.replace("-", "−");
  }

  /**
   * A letter that is moved.
   * @param {string} words
   * @param {string} name
   */
  letter(words, name) {
    const node = add(this.inside, "text", { class: name, "text-anchor": "middle", dy: "0.35em" }, words);
    const to = (/** @type {number} */ x, /** @type {number} */ y) => {
      node.setAttribute("x", this.x(x).toFixed(1));
      node.setAttribute("y", this.y(y).toFixed(1));
    };
    return { node, to };
  }

  /** @param {number} size */
  image(size) {
    const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
    const box = { width: this.width, height: this.height, preserveAspectRatio: "none" };
    return { canvas, node: add(this.inside, "image", box) };
  }

  /**
   * A line through the points; a point that is not finite is a gap.
   * @param {Element} mark
   * @param {Numbers} xs
   * @param {Numbers} ys
   */
  line(mark, xs, ys) {
    let d = "", drawn = false;
    for (let i = 0; i < xs.length; i++) {
      const at = this.#at(xs[i], ys[i]);
      if (at) d += (drawn ? "L" : "M") + at;
      drawn = at !== null;
    }
    mark.setAttribute("d", d);
  }

  /**
   * What lies between the line and the lower edge.
   * @param {Element} mark
   * @param {Numbers} xs
   * @param {Numbers} ys
   */
  area(mark, xs, ys) {
    this.line(mark, xs, ys);
    const [first, last] = [xs[0], xs[xs.length - 1]].map((x) => this.x(x).toFixed(2));
    mark.setAttribute("d", `${mark.getAttribute("d")}L${last} ${this.height}L${first} ${this.height}Z`);
  }

  /**
   * Bars between neighbouring edges.
   * @param {Element} mark
   * @param {Numbers} edges
   * @param {Numbers} heights
   */
  bars(mark, edges, heights) {
    const corners = Array.from(heights).flatMap((height, i) => [[edges[i], height], [edges[i + 1], height]]);
    this.area(mark, corners.map(([x]) => x), corners.map(([, height]) => height));
  }

  /**
   * Rectangles, each from a corner to the one across.
   * @param {Element} mark
   * @param {number[][][]} corners
   */
  boxes(mark, corners) {
    const box = (/** @type {number[][]} */ [[x0, y0], [x1, y1]]) =>
      `M${this.#at(x0, y0)}H${this.x(x1)}V${this.y(y1)}H${this.x(x0)}Z`;
    mark.setAttribute("d", corners.map(box).join(""));
  }

  /**
   * A stroke of no length is a dot as wide as its stroke.
   * @param {Element} mark
   * @param {number[][]} points
   */
  dots(mark, points) {
    mark.setAttribute("d", points.map(([x, y]) => `M${this.#at(x, y)}h0`).join(""));
  }

  /**
   * @param {Edged} marks
   * @param {Numbers} xs
   * @param {Numbers} ys
   */
  edgedLine({ inside, outside }, xs, ys) {
    this.line(inside, xs, Array.from(ys, this.#clip));
    this.#triangles(outside, xs, ys);
  }

  /**
   * @param {Edged} marks
   * @param {number[][]} points
   */
  edgedDots({ inside, outside }, points) {
    this.dots(inside, points.map(([x, y]) => [x, this.#clip(y)]));
    this.#triangles(outside, points.map(([x]) => x), points.map(([, y]) => y));
  }

  #clip = (/** @type {number} */ y) => Math.min(Math.max(y, this.ends.from), this.ends.to);

  /**
   * @param {Element} mark
   * @param {Numbers} xs
   * @param {Numbers} ys
   */
  #triangles(mark, xs, ys) {
    const each = Array.from(ys, (y, i) => {
      const x = this.x(xs[i]).toFixed(1);
      if (y < this.ends.from) return `M${x} ${this.height - 1}l-4 -7h8Z`;
      return y > this.ends.to ? `M${x} 1l-4 7h8Z` : "";
    });
    mark.setAttribute("d", each.join(""));
  }

  /**
   * Strokes from a point to a point.
   * @param {Element} mark
   * @param {number[][][]} pairs
   */
  strokes(mark, pairs) {
    mark.setAttribute(
      "d",
      pairs.map(([from, to]) => `M${this.#at(from[0], from[1])}L${this.#at(to[0], to[1])}`).join(""),
    );
  }

  /**
   * @param {Element} mark
   * @param {number} x
   */
  vertical(mark, x) {
    mark.setAttribute("d", `M${this.x(x).toFixed(2)} 0V${this.height}`);
  }

  /**
   * @param {Element} mark
   * @param {number} y
   */
  horizontal(mark, y) {
    mark.setAttribute("d", `M0 ${this.y(y).toFixed(2)}H${this.width}`);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  #at(x, y) {
    const [across, down] = [this.x(x), Math.min(this.y(y), 1e5)];
    return Number.isFinite(across) && Number.isFinite(down) ? `${across.toFixed(2)} ${down.toFixed(2)}` : null;
  }
}

/**
 * Where a number lies between `first` and `last`, the places of the direction's ends.
 * @param {Direction} direction
 * @param {number} first
 * @param {number} last
 */
export function scale({ from, to, log, linear }, first, last) {
  const place = linear ? aroundZero(linear) : log ? Math.log : (/** @type {number} */ value) => value;
  const start = place(from), stretch = (last - first) / (place(to) - start);
  return (/** @type {number} */ value) => first + stretch * (place(value) - start);
}

/**
 * Logarithmic on both sides of 0, and straight within `linear` of it: matplotlib's symlog.
 * @param {number} linear
 */
function aroundZero(linear) {
  return (/** @type {number} */ value) => {
    const size = Math.abs(value);
    return size <= linear ? value / 0.9 : Math.sign(value) * linear * (1 / 0.9 + Math.log10(size / linear));
  };
}

/**
 * A small number on an axis as a power of ten, which is shorter.
 * @param {number} tick
 */
export const power = (
  tick,
) => (tick > 0 && tick < 0.001 ? "10" + SUPERSCRIPTS[Math.round(-Math.log10(tick))] : `${tick}`);

/**
 * As many numbers from `from` to `to`, in equal steps or, with `log`, in equal ratios.
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {number[]}
 */
export function steps(from, to, count, log = false) {
  if (log) return steps(Math.log(from), Math.log(to), count).map(Math.exp);
  return Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));
}
