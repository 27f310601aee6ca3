// An image of few pixels that is drawn by pointer or by keyboard, and one that is only shown.

/**
 * A function that paints pixels in [0, 1], and says what they are.
 * @param {HTMLElement} parent
 * @param {number} width
 * @param {string} title
 */
export function picture(parent, width, title, height = width) {
  const words = parent.appendChild(document.createElement("p"));
  words.textContent = title;
  const canvas = parent.appendChild(Object.assign(document.createElement("canvas"), { width, height }));
  canvas.setAttribute("role", "img");
  return (/** @type {ArrayLike<number>} */ pixels, /** @type {string} */ told) => {
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const image = context.createImageData(canvas.width, canvas.height);
    for (let i = 0; i < pixels.length; i++) {
      const grey = 255 * pixels[i];
      image.data.set([grey, grey, grey, 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    canvas.setAttribute("aria-label", told);
  };
}

// Pixels that are buttons. Tab comes to one of them, arrow keys go on from there; a pointer that is pulled paints.
export class Pad {
  /**
   * @param {HTMLElement} parent
   * @param {string} title
   * @param {number} side
   * @param {(pixels: string) => void} changed
   */
  constructor(parent, title, side, changed) {
    const words = parent.appendChild(document.createElement("p"));
    words.textContent = `${title}, yours to draw`;
    const pad = parent.appendChild(document.createElement("div"));
    pad.className = "live-pad";
    pad.setAttribute("role", "group");
    pad.setAttribute(
      "aria-label",
      `${title}: ${side} by ${side} pixels. Arrow keys move, Space turns a pixel.`,
    );
    this.side = side;
    this.changed = changed;
    this.pixels = "0".repeat(side ** 2);
    this.buttons = Array.from({ length: side ** 2 }, (_, i) => {
      const button = pad.appendChild(Object.assign(document.createElement("button"), { type: "button" }));
      button.setAttribute("aria-label", `Row ${1 + Math.floor(i / side)}, column ${1 + (i % side)}`);
      button.tabIndex = i ? -1 : 0;
      button.addEventListener("click", (event) => event.detail === 0 && this.#turn(i)); // by keyboard
      return button;
    });
    pad.addEventListener("keydown", (event) => this.#key(event));
    pad.addEventListener("pointerdown", (event) => this.#begin(event));
    pad.addEventListener("pointermove", (event) => this.#paint(event));
    for (const end of ["pointerup", "pointercancel"]) {
      pad.addEventListener(end, () => (this.ink = undefined));
    }
  }

  /** @param {string} pixels */
  show(pixels) {
    this.pixels = pixels;
    this.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(pixels[i] === "1")));
  }

  /**
   * @param {number} i
   * @param {string} ink
   */
  #turn(i, ink = this.pixels[i] === "1" ? "0" : "1") {
    if (this.pixels[i] === ink) return;
    this.show(this.pixels.slice(0, i) + ink + this.pixels.slice(i + 1));
    this.changed(this.pixels);
  }

  /** @param {PointerEvent} event */
  #begin(event) {
    const i = this.#under(event);
    if (i < 0) return;
    event.preventDefault();
    this.ink = this.pixels[i] === "1" ? "0" : "1";
    this.#turn(i, this.ink);
    this.#focus(i);
  }

  /** @param {PointerEvent} event */
  #paint(event) {
    const i = this.ink === undefined ? -1 : this.#under(event);
    if (i >= 0) this.#turn(i, this.ink);
  }

  /** @param {PointerEvent} event */
  #under({ clientX, clientY }) {
    const found = document.elementFromPoint(clientX, clientY);
    return this.buttons.findIndex((button) => button === found);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = this.buttons.findIndex((button) => button === event.target),
      { side } = this;
    const row = Math.floor(at / side), column = at % side;
    const to = {
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
    }[event.key];
    if (!to) return;
    event.preventDefault();
    const [r, c] = to.map((place) => Math.min(Math.max(place, 0), side - 1));
    this.#focus(r * side + c);
  }

  /** @param {number} i */
  #focus(i) {
    this.buttons.forEach((button, place) => (button.tabIndex = place === i ? 0 : -1));
    this.buttons[i].focus();
  }
}
