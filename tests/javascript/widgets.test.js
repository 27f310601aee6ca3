// The widgets with a model that takes note, in a document that is a stub: what the reader does, the model gets, and
// what the model gets, the reader sees.

import test from "node:test";
import assert from "node:assert/strict";
import { element, install } from "./dom.js";

install();
const widget = async (name) => (await import(`../../vaecourse/labs/js/${name}.js`)).default;

// What anywidget hands to a widget; `saved` and `sent` are what the kernel gets.
class Model {
  constructor(state) {
    Object.assign(this, { state, listeners: {}, saved: [], sent: [] });
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    if (Object.is(this.state[name], value)) return;
    this.state[name] = value;
    for (const listener of this.listeners[`change:${name}`] ?? []) listener();
  }
  save_changes() {
    this.saved.push({ ...this.state });
  }
  send(message) {
    this.sent.push(message);
  }
  on(names, listener) {
    for (const name of names.split(" ")) (this.listeners[name] ??= []).push(listener);
  }
  off(names, listener) {
    for (const name of names.split(" ")) this.listeners[name] = this.listeners[name].filter((one) => one !== listener);
  }
  get heard() {
    return Object.values(this.listeners).flat().length;
  }
}

async function shown(name, state) {
  const model = new Model(state), el = element("div"), { render } = await widget(name);
  const end = render({ model, el });
  return { model, el, end, find: (selector) => el.querySelectorAll(selector) };
}

const STOPS = [0.01, 0.1, 1, 10];
const slider = (state = {}) =>
  shown("control", { kind: "slider", label: "Width", stops: STOPS, digits: 2, whole: false, value: 0.1, ...state });

test("a slider has a label of its own, a range over the stops, and its value beside it", async () => {
  const { find } = await slider(), [label] = find("label"), [input] = find("input"), [output] = find("output");
  assert.equal(label.textContent, "Width");
  assert.ok(input.id && label.htmlFor === input.id && output.htmlFor === input.id);
  assert.deepEqual([input.type, input.min, input.max, input.step], ["range", 0, 3, 1]);
  assert.deepEqual([input.value, output.textContent, input.attributes["aria-valuetext"]], ["1", "0.10", "0.10"]);
  assert.equal(output.style.minWidth, "5ch"); // of 10.00: nothing moves
});

test("a slider that is moved tells the model, and one whose model changes moves", async () => {
  const { model, find, end } = await slider(), [input] = find("input"), [output] = find("output");
  input.value = "3";
  input.fire("input");
  assert.equal(model.saved.at(-1).value, 10);
  assert.equal(output.textContent, "10.00");
  model.set("value", 0.9); // between two stops: the handle goes to the nearest, the words are exact
  assert.deepEqual([input.value, output.textContent], ["2", "0.90"]);
  end();
  assert.deepEqual([model.saved.length, model.heard], [1, 0]);
});

test("whoever sets a value after a Reset has heard of it: a link to another widget, too", async () => {
  const { model } = await slider({ turn: 0, heard: 0 });
  model.set("turn", 1); // what the kernel sends with a Reset
  assert.equal(model.saved.length, 0); // what is held back is older, and stays as it was
  model.set("value", 1); // as ipywidgets.jslink does
  model.save_changes();
  const { value, heard } = model.saved.at(-1);
  assert.deepEqual([value, heard], [1, 1]);
});

test("a slider over whole numbers shows them without a point", async () => {
  const { find } = await slider({ stops: [1, 2, 50], whole: true, digits: 0, value: 50 });
  assert.deepEqual([find("input")[0].value, find("output")[0].textContent], ["2", "50"]);
});

test("a choice is a group of radio buttons, of which one is on", async () => {
  const { model, find } = await shown("control", {
    kind: "choice",
    label: "Kernel",
    options: ["RBF", "IMQ"],
    value: "IMQ",
  });
  const inputs = find("input"), on = () => inputs.map((input) => input.checked);
  assert.deepEqual(find("span").map((span) => span.textContent), ["RBF", "IMQ"]);
  assert.deepEqual(find("label").map((label) => label.htmlFor), inputs.map((input) => input.id));
  assert.deepEqual([new Set(inputs.map((input) => input.name)).size, on()], [1, [false, true]]);
  inputs[0].fire("change");
  assert.equal(model.saved.at(-1).value, "RBF");
  assert.deepEqual(on(), [true, false]);
});

test("a switch and a seed", async () => {
  const toggle = await shown("control", { kind: "switch", label: "Log", value: true }), [box] = toggle.find("input");
  assert.equal(box.checked, true);
  box.checked = false;
  box.fire("change");
  assert.equal(toggle.model.saved.at(-1).value, false);

  const seed = await shown("control", { kind: "seed", label: "New noise", value: 6 }), [output] = seed.find("output");
  assert.equal(output.textContent, "seed 6");
  seed.find("button")[0].fire("click");
  assert.deepEqual([seed.model.saved.at(-1).value, output.textContent], [7, "seed 7"]);
});

for (const name of ["control", "store", "transport"]) {
  test(`keys that are pressed in ${name} do not reach JupyterLab`, async () => {
    const { el } = await shown(name, { kind: "seed", label: "New noise", value: 6, file: "a", state: "" });
    let stopped = 0;
    el.fire("keydown", { stopPropagation: () => stopped++ });
    assert.equal(stopped, 1);
  });
}

test("a sentence is announced, and follows the model until it ends", async () => {
  const { model, el, end } = await shown("sentence", { value: "<b>one</b>" });
  assert.deepEqual([el.attributes.role, el.attributes["aria-live"], el.innerHTML], ["status", "polite", "<b>one</b>"]);
  model.set("value", "two");
  assert.equal(el.innerHTML, "two");
  end();
  model.set("value", "three");
  assert.deepEqual([el.innerHTML, model.heard], ["two", 0]);
});

const training = (state = {}) =>
  shown("transport", { running: false, state: "step 0", at_stake: "", speed: 0, shown: 0, seen: 0, ...state });

test("a training starts, pauses, steps and begins anew; what was shown is answered", async () => {
  const { model, find, end } = await training();
  const [go, step, , untrained, trained, reinitialise] = find("button"), [state] = find("span");
  assert.deepEqual([go.textContent, state.textContent], ["Start", "step 0"]);
  go.fire("click");
  model.set("running", true);
  model.set("state", "step 10");
  assert.deepEqual([go.textContent, state.textContent], ["Pause", "step 10"]);
  for (const button of [go, step, reinitialise, untrained, trained]) button.fire("click");
  const asked = model.sent.map((message) => message.do);
  assert.deepEqual(asked, ["start", "pause", "step", "reinitialise", "untrained", "trained"]);
  model.set("shown", 4);
  assert.equal(model.saved.at(-1).seen, 4);
  end();
  assert.equal(model.heard, 0);
});

test("a training runs so many steps, at a speed, and says what is lost with its kernel", async () => {
  const { model, el, find } = await training(), [, , run] = find("button"), [steps] = find("input");
  const [speed] = find("select");
  assert.deepEqual([steps.value, find("option").length], ["200", 4]);
  steps.value = "50";
  run.fire("click");
  steps.fire("keydown", { key: "Enter" });
  steps.fire("keydown", { key: "5" });
  assert.deepEqual(model.sent, [{ do: "run", steps: 50 }, { do: "run", steps: 50 }]);
  speed.value = "5";
  speed.fire("change");
  assert.equal(model.saved.at(-1).speed, 5);
  model.set("at_stake", "lost");
  assert.equal(el.dataset.atStake, "lost");
});

test("a control comes back as it was in a new kernel of this tab, and in the same kernel it begins anew", async () => {
  const kept = new Map();
  globalThis.sessionStorage = {
    getItem: (place) => kept.get(place) ?? null,
    setItem: (place, text) => kept.set(place, text),
  };
  const at = (kernel, memory = "here") => slider({ memory, kernel, value: 0.1 });
  const first = await at("one");
  first.find("input")[0].value = "3";
  first.find("input")[0].fire("input");
  assert.equal((await at("two")).model.saved.at(-1).value, 10);
  assert.deepEqual((await at("two")).model.saved, []);
  assert.deepEqual((await at("three", "elsewhere")).model.saved, []);
  const last = await at("four");
  last.end();
  assert.equal(last.model.heard, 0);
  const before = [...kept.values()];
  await slider({ value: 1 }); // on a page of the site, which has no kernel
  assert.deepEqual([...kept.values()], before);
  delete globalThis.sessionStorage;
});

test("a file is saved and loaded under the name that stands there", async () => {
  const { model, find } = await shown("store", { file: "run" }), [field] = find("input"), [save, load] = find("button");
  assert.deepEqual([field.value, find("label")[0].htmlFor === field.id], ["run", true]);
  save.fire("click");
  field.value = "  other ";
  load.fire("click");
  assert.deepEqual(model.sent, [{ do: "save", file: "run" }, { do: "load", file: "other" }]);
});

test("a picture that is decoded late does not come over a newer one", async () => {
  const drawn = [], waiting = [];
  globalThis.createImageBitmap = (blob) => new Promise((done) => waiting.push({ blob, done }));
  const picture = (number) => ({
    number,
    width: 8 + number,
    height: 5,
    closed: false,
    close() {
      this.closed = true;
    },
  });
  const canvas = document.createElement("canvas");
  canvas.getContext = () => ({ drawImage: ({ number }) => drawn.push(number) });
  const create = document.createElement;
  document.createElement = () => canvas;
  const { model, el, end } = await shown("picture", { value: new Uint8Array([1]), alt: "a curve" });
  document.createElement = create;
  model.set("value", new Uint8Array([2]));
  model.set("value", new Uint8Array([3]));
  assert.equal(waiting.length, 3);
  assert.equal(waiting[0].blob.type, "image/png");
  const pictures = [1, 2, 3].map(picture);
  for (const turn of [1, 0, 2]) {
    waiting[turn].done(pictures[turn]);
    await new Promise((done) => setTimeout(done));
  }
  assert.deepEqual([drawn, pictures.map((one) => one.closed)], [[2, 3], [true, true, true]]);
  assert.deepEqual([canvas.width, canvas.height, canvas.dataset.shown], [11, 5, "3"]);
  assert.deepEqual([el.children, canvas.attributes], [[canvas], { role: "img", "aria-label": "a curve" }]);
  model.set("alt", "another");
  assert.equal(canvas.attributes["aria-label"], "another");
  end();
  assert.equal(model.heard, 0);
});
