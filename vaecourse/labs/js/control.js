// One native control with its label. JupyterLab takes the arrow keys for itself unless keydown stays in here.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  const id = `vaecourse-control-${Math.random().toString(36).slice(2)}`; // every widget has its own copy of this file
  el.classList.add("vaecourse-control", `vaecourse-${model.get("kind")}`);
  el.addEventListener("keydown", (event) => event.stopPropagation());
  const send = (/** @type {number | string | boolean} */ value) => {
    model.set("value", value);
    model.set("heard", model.get("turn")); // so that a "Reset" that overtakes it counts
    model.save_changes();
  };
  const show = { slider, choice, switch: toggle, seed }[model.get("kind")](model, el, id, send);
  // Whoever sets the value from now on, a link of the reader's too, has heard of it.
  const hear = () => model.set("heard", model.get("turn"));
  model.on("change:value", show);
  model.on("change:turn", hear);
  show();
  const forget = remembered(model, send);
  return () => {
    model.off("change:value", show);
    model.off("change:turn", hear);
    forget();
  };
}

/**
 * Keep the value in this tab. Where another kernel has set it, which has ended since, it is taken up again.
 * @param {import("./widget.d.ts").Model} model
 * @param {(value: number | string | boolean) => void} send
 */
function remembered(model, send) {
  const [place, kernel] = [model.get("memory"), model.get("kernel")];
  const storage = place ? tab() : null;
  if (!storage) return () => {};
  const kept = JSON.parse(storage.getItem(place) ?? "null");
  if (kept && kept.kernel !== kernel) send(kept.value);
  const keep = () => storage.setItem(place, JSON.stringify({ kernel, value: model.get("value") }));
  model.on("change:value", keep);
  keep();
  return () => model.off("change:value", keep);
}

/** What this tab keeps; nothing in a page that may keep nothing. */
function tab() {
  try {
    return globalThis.sessionStorage;
  } catch {
    return null;
  }
}

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

/** @type {import("./widget.d.ts").Part} */
function slider(model, el, id, send) {
  const stops = model.get("stops");
  const head = add(el, "div");
  add(head, "label", { htmlFor: id, textContent: model.get("label") });
  const output = add(head, "output", { htmlFor: id });
  const input = add(el, "input", { id, type: "range", min: 0, max: stops.length - 1, step: 1 });
  /** @param {number} value */
  const text = (value) => (model.get("whole") ? String(value) : format(value, model.get("digits")));
  /** @param {number} value */
  const write = (value) => {
    output.textContent = text(value);
    input.setAttribute("aria-valuetext", text(value));
  };
  const longest = Math.max(...[stops[0], stops[stops.length - 1]].map((stop) => text(stop).length));
  output.style.minWidth = `${longest}ch`; // nothing moves
  input.addEventListener("input", () => {
    const value = stops[input.valueAsNumber];
    write(value);
    send(value);
  });
  return () => {
    const value = model.get("value");
    // While the handle is dragged, an echo of an older value must not pull it back.
    const near = nearest(stops, value);
    if (input.valueAsNumber !== near) input.value = String(near);
    write(value);
  };
}

/**
 * So many digits after the point; but two of a number that these would make zero.
 * @param {number} value
 * @param {number} digits
 */
export function format(value, digits) {
  return Math.abs(value) > 0 && Math.abs(value) < 10 ** -digits ? value.toPrecision(2) : value.toFixed(digits);
}

/**
 * The place of the stop that is nearest to a value.
 * @param {number[]} stops
 * @param {number} value
 */
export function nearest(stops, value) {
  let best = 0;
  stops.forEach((stop, index) => {
    if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = index;
  });
  return best;
}

/** @type {import("./widget.d.ts").Part} */
function choice(model, el, id, send) {
  const group = add(el, "fieldset");
  add(group, "legend", { textContent: model.get("label") });
  const inputs = model.get("options").map((option, index) => {
    const label = add(group, "label", { htmlFor: `${id}-${index}` });
    const input = add(label, "input", { id: `${id}-${index}`, type: "radio", name: id, value: option });
    add(label, "span", { textContent: option });
    input.addEventListener("change", () => send(option));
    return input;
  });
  return () => inputs.forEach((input) => (input.checked = input.value === model.get("value")));
}

/** @type {import("./widget.d.ts").Part} */
function toggle(model, el, id, send) {
  const label = add(el, "label", { htmlFor: id });
  const input = add(label, "input", { id, type: "checkbox" });
  add(label, "span", { textContent: model.get("label") });
  input.addEventListener("change", () => send(input.checked));
  return () => (input.checked = model.get("value"));
}

/** @type {import("./widget.d.ts").Part} */
function seed(model, el, id, send) {
  const button = add(el, "button", { id, type: "button", textContent: model.get("label") });
  const output = add(el, "output", { htmlFor: id });
  button.addEventListener("click", () => send(model.get("value") + 1));
  return () => (output.textContent = `seed ${model.get("value")}`);
}

export default { render };
