// A point in a chart's plane that is pulled by pointer or by arrow keys.

const STEP = 0.1, LEAP = 0.5;

/** @import { Axes } from "./chart.js" */

export class Pull {
  /**
   * @param {Axes} axes a square, of which the coordinates go from -reach to reach
   * @param {number} reach
   * @param {(z: number[]) => void} changed
   */
  constructor(axes, reach, changed) {
    this.axes = axes;
    this.reach = reach;
    this.changed = changed;
    this.z = [0, 0];
    this.ground = axes.mark("live-ground"); // where nothing is drawn, an SVG feels no pointer
    this.ground.setAttribute("d", `M0 0H${axes.width}V${axes.height}H0Z`);
    this.point = axes.mark("live-pulled live-dot");
    this.grip = axes.mark("live-grip");
    const told = {
      role: "slider",
      tabindex: "0",
      "aria-label": "The latent point z; arrow keys move it in the plane, Home brings it to 0",
      "aria-valuemin": String(-reach),
      "aria-valuemax": String(reach),
    };
    for (const [name, value] of Object.entries(told)) {
      this.grip.setAttribute(name, value);
    }
    this.grip.addEventListener("keydown", (event) => this.#key(/** @type {KeyboardEvent} */ (event)));
    const area = /** @type {SVGSVGElement} */ (axes.inside);
    area.addEventListener("pointerdown", (event) => this.#begin(event));
    area.addEventListener("pointermove", (event) => this.held && this.#to(event));
    area.addEventListener("click", (event) => this.#to(event)); // a finger that taps
    for (const end of ["pointerup", "pointercancel"]) {
      area.addEventListener(end, () => (this.held = false));
    }
    this.area = area;
  }

  /** @param {number[]} z */
  show(z) {
    this.z = z;
    for (const mark of [this.point, this.grip]) this.axes.dots(mark, [z]);
    this.grip.setAttribute("aria-valuenow", z[0].toFixed(2));
    this.grip.setAttribute(
      "aria-valuetext",
      `z is ${z.map((at) => at.toFixed(2).replace("-", "−")).join(" and ")}`,
    );
  }

  /** @param {number[]} z */
  #move(z) {
    this.show(z.map((at) => Math.round(100 * Math.min(Math.max(at, -this.reach), this.reach)) / 100));
    this.changed(this.z);
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    if (event.pointerType === "touch" && event.target !== this.grip) return; // a finger elsewhere scrolls the page
    this.held = true;
    this.area.setPointerCapture(event.pointerId);
    this.#to(event);
  }

  /** @param {MouseEvent} event */
  #to({ clientX, clientY }) {
    const { left, top, width, height } = this.ground.getBoundingClientRect();
    this.#move(
      [(2 * (clientX - left)) / width - 1, 1 - (2 * (clientY - top)) / height]
        .map((at) => at * this.reach),
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const step = event.shiftKey ? LEAP : STEP, [a, b] = this.z;
    const to = {
      ArrowLeft: [a - step, b],
      ArrowRight: [a + step, b],
      ArrowUp: [a, b + step],
      ArrowDown: [a, b - step],
      Home: [0, 0],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    this.#move(to);
  }
}
