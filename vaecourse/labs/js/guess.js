// The question that opens a lab. While it stands it takes the place of the controls; a number and a curve are given on
// the picture, by a pointer, or by sliders here. Escape skips it.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  const id = `vaecourse-guess-${Math.random().toString(36).slice(2)}`;
  el.classList.add("vaecourse-guess");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab takes the keys for itself
  let leave = () => {};
  const show = () => {
    leave();
    const held = el.contains(document.activeElement); // who has pressed a button here goes on from here
    const state = model.get("state");
    el.replaceChildren();
    el.dataset.state = state;
    leave = state === "asking" ? ask(model, el, id) : tell(model, el);
    if (held) /** @type {HTMLElement | null} */ (el.querySelector("p"))?.focus();
  };
  const verdict = () => {
    if (model.get("state") === "answered") write(el.querySelector("p"), model.get("verdict"));
  };
  model.on("change:state", show);
  model.on("change:verdict", verdict);
  show();
  return () => {
    leave();
    model.off("change:state", show);
    model.off("change:verdict", verdict);
  };
}

/** @typedef {import("./widget.d.ts").Model} Model */

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Element} parent
 * @param {Tag} tag
 * @param {object} [properties]
 */
function add(parent, tag, properties = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  parent.append(node);
  return node;
}

/**
 * @param {Element | null} node
 * @param {string} text
 */
function write(node, text) {
  if (node) node.textContent = text;
}

/**
 * @param {Element} parent
 * @param {string} text
 * @param {() => void} action
 */
function button(parent, text, action) {
  const node = add(parent, "button", { type: "button", textContent: text, className: "vaecourse-button" });
  node.addEventListener("click", action);
  return node;
}

/**
 * What came of it, and a way back to the question.
 * @param {Model} model
 * @param {HTMLElement} el
 */
function tell(model, el) {
  const answered = model.get("state") === "answered";
  if (answered) {
    add(el, "p", { className: "vaecourse-verdict", role: "status", tabIndex: -1, textContent: model.get("verdict") });
  }
  button(el, answered ? "Ask me again" : "Ask me first", () => model.send({ do: "ask" }));
  return () => {};
}

/**
 * The question, with what there is to choose or to set.
 * @param {Model} model
 * @param {HTMLElement} el
 * @param {string} id
 */
function ask(model, el, id) {
  const form = add(el, "div", { className: "vaecourse-question" });
  form.setAttribute("role", "group");
  form.setAttribute("aria-labelledby", id);
  add(form, "p", { id, tabIndex: -1, textContent: `Guess first. ${model.get("question")}` });
  const skip = () => model.send({ do: "skip" });
  const escape = (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") skip();
  };
  const paper = { choice, number, curve }[/** @type {"choice" | "number"} */ (model.get("kind"))](model, form);
  button(form, "Skip (Esc)", skip).classList.add("vaecourse-reset");
  /** @type {HTMLElement | null} */
  let lab = null;
  let waits = 0;
  const begin = () => { // a widget is drawn before it has its place in the page
    lab = el.closest(".vaecourse-lab");
    const canvas = /** @type {HTMLElement | null} */ (lab?.querySelector(".vaecourse-picture canvas") ?? null);
    if (!lab || !canvas) return void (waits = requestAnimationFrame(begin));
    lab.addEventListener("keydown", escape, true);
    paper?.lieOn(canvas);
  };
  begin();
  return () => {
    cancelAnimationFrame(waits);
    lab?.removeEventListener("keydown", escape, true);
    paper?.end();
  };
}

/**
 * @param {Model} model
 * @param {HTMLElement} form
 */
function choice(model, form) {
  model.get("options").forEach((option, at) => {
    button(form, option, () => model.send({ do: "guess", answer: at })).classList.add("vaecourse-option");
  });
  return null;
}

/**
 * @param {Model} model
 * @param {HTMLElement} form
 */
function number(model, form) {
  const { box, stops } = model.get("place"), along = model.get("axis");
  const paper = sheet(box, model.get("colour"));
  const line = () => {
    const at = stops[input.at()];
    paper.draw(along === "x" ? [[at, 0], [at, 1]] : [[0, at], [1, at]]);
  };
  const input = handle(model, form, model.get("label"), line);
  const pull = (/** @type {number[]} */ [x, y]) => input.put(nearest(stops, along === "x" ? x : y));
  paper.listen(pull, pull);
  line();
  button(form, "This is my guess", () => model.send({ do: "guess", answer: input.at() })).classList.add("vaecourse-go");
  return paper;
}

/**
 * @param {Model} model
 * @param {HTMLElement} form
 */
function curve(model, form) {
  const { box, stops, anchors } = model.get("place");
  const paper = sheet(box, model.get("colour"));
  const line = () => paper.draw(inputs.map((input, i) => [anchors[i], stops[input.at()]]), true);
  const all = add(form, "div", { className: "vaecourse-anchors" });
  const inputs = model.get("options").map((name) => handle(model, all, name, () => line()));
  const begin = (/** @type {number[]} */ [x, y]) => inputs[nearest(anchors, x)].put(nearest(stops, y));
  const go = (/** @type {number[]} */ to, /** @type {number[]} */ from) => {
    for (const [i, y] of crossed(anchors, from, to)) inputs[i].put(nearest(stops, y));
  };
  paper.listen(begin, go);
  line();
  const answer = () => model.send({ do: "guess", answer: inputs.map((input) => input.at()) });
  button(form, "This is my guess", answer).classList.add("vaecourse-go");
  return paper;
}

/**
 * Which anchors a stroke has gone over, and at what height.
 * @param {number[]} anchors
 * @param {number[]} from
 * @param {number[]} to
 */
export function crossed(anchors, [x0, y0], [x1, y1]) {
  const low = Math.min(x0, x1), high = Math.max(x0, x1);
  /** @type {[number, number][]} */
  const found = [];
  anchors.forEach((x, i) => {
    if (x >= low && x <= high && high > low) found.push([i, y0 + ((y1 - y0) * (x - x0)) / (x1 - x0)]);
  });
  return found;
}

/**
 * The place of the number that is nearest to a value.
 * @param {number[]} numbers
 * @param {number} value
 */
export function nearest(numbers, value) {
  let best = 0;
  numbers.forEach((one, at) => {
    if (Math.abs(one - value) < Math.abs(numbers[best] - value)) best = at;
  });
  return best;
}

/**
 * A slider over the stops, with its value beside it. Enter in it commits, as in a form.
 * @param {Model} model
 * @param {HTMLElement} parent
 * @param {string} name
 * @param {() => void} moved
 */
function handle(model, parent, name, moved) {
  const texts = model.get("texts");
  const row = add(parent, "div", { className: "vaecourse-control vaecourse-slider" });
  const head = add(row, "div"), id = `${name}-${Math.random().toString(36).slice(2)}`;
  add(head, "label", { htmlFor: id, textContent: name });
  const output = add(head, "output", { htmlFor: id });
  const input = add(row, "input", { id, type: "range", min: 0, max: texts.length - 1, step: 1 });
  const write = () => {
    output.textContent = texts[at()];
    input.setAttribute("aria-valuetext", texts[at()] + model.get("unit"));
  };
  const at = () => Number(input.value);
  const put = (/** @type {number} */ stop) => {
    input.value = String(stop);
    write();
    moved();
  };
  input.addEventListener("input", () => {
    write();
    moved();
  });
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    /** @type {HTMLElement | null | undefined} */ (input.closest(".vaecourse-question")?.querySelector(".vaecourse-go"))
      ?.click();
  });
  input.value = String(model.get("start"));
  write();
  return { at, put };
}

/**
 * A sheet over the axes of the picture: it shows the guess as it is made, and takes a pointer.
 * @param {number[]} box
 * @param {string} colour
 */
function sheet([left, top, width, height], colour) {
  const [paper, stroke, dots] = ["svg", "polyline", "g"].map((tag) => svg(tag, { fill: colour }));
  for (const [name, value] of Object.entries({ class: "vaecourse-sheet", "aria-hidden": true })) {
    paper.setAttribute(name, String(value));
  }
  for (const [name, value] of Object.entries({ fill: "none", stroke: colour, "stroke-width": 3 })) {
    stroke.setAttribute(name, String(value));
  }
  stroke.setAttribute("stroke-dasharray", "8 4");
  paper.append(stroke, dots);
  /** @type {HTMLElement | null} */
  let canvas = null;
  /** @type {number[][]} */
  let points = [];
  let dotted = false;
  const drawn = () => {
    if (!canvas) return;
    const [wide, high] = [canvas.offsetWidth * width, canvas.offsetHeight * height];
    const [x, y] = [canvas.offsetLeft + canvas.offsetWidth * left, canvas.offsetTop + canvas.offsetHeight * top];
    for (const [name, value] of Object.entries({ left: x, top: y, width: wide, height: high })) {
      paper.style.setProperty(name, `${value}px`);
    }
    const at = points.map(([x, y]) => [x * wide, (1 - y) * high]);
    stroke.setAttribute("points", at.map((point) => point.join(",")).join(" "));
    dots.replaceChildren(...(dotted ? at : []).map(([cx, cy]) => svg("circle", { cx, cy, r: 5 })));
  };
  const watch = new ResizeObserver(drawn);
  return {
    /** @param {HTMLElement} found */
    lieOn: (found) => {
      canvas = found;
      canvas.parentElement?.append(paper);
      watch.observe(canvas);
      drawn();
    },
    /** @param {number[][]} found */
    draw: (found, withDots = false) => {
      [points, dotted] = [found, withDots];
      drawn();
    },
    /**
     * @param {(at: number[]) => void} begin
     * @param {(to: number[], from: number[]) => void} go
     */
    listen: (begin, go) => follow(paper, begin, go),
    end: () => {
      watch.disconnect();
      paper.remove();
    },
  };
}

/**
 * @param {string} tag
 * @param {object} attributes
 */
function svg(tag, attributes) {
  const node = /** @type {SVGElement} */ (document.createElementNS("http://www.w3.org/2000/svg", tag));
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  return node;
}

/**
 * Where a pointer begins on the sheet, and each piece of its way: x and y from 0 to 1, y upwards.
 * @param {SVGElement} paper
 * @param {(at: number[]) => void} begin
 * @param {(to: number[], from: number[]) => void} go
 */
function follow(paper, begin, go) {
  /** @type {number[] | null} */
  let last = null;
  const inside = (/** @type {number} */ part) => Math.min(Math.max(part, 0), 1);
  const at = (/** @type {PointerEvent} */ event) => {
    const room = paper.getBoundingClientRect();
    return [inside((event.clientX - room.left) / room.width), inside(1 - (event.clientY - room.top) / room.height)];
  };
  paper.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    paper.setPointerCapture(event.pointerId);
    last = at(event);
    begin(last);
  });
  paper.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = at(event);
    go(now, last);
    last = now;
  });
  for (const name of ["pointerup", "pointercancel"]) paper.addEventListener(name, () => (last = null));
}

export default { render };
