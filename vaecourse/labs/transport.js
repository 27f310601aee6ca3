// What makes a training go: start and pause, one step, new weights, and a file for its state.
function render({ model, el }) {
  el.classList.add("vaecourse-control", "vaecourse-transport");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab takes the keys for itself
  const ask = (what) => () => model.send({ do: what, file: file.value.trim() });
  const go = button(el, "Start", () => ask(model.get("running") ? "pause" : "start")());
  go.classList.add("vaecourse-go");
  button(el, "Step", ask("step"));
  button(el, "New weights", ask("renew"));
  const state = add(el, "span", { className: "vaecourse-state" }); // not announced: it changes all the time
  const id = `vaecourse-file-${Math.random().toString(36).slice(2)}`;
  const keep = add(el, "div", { className: "vaecourse-keep" });
  add(keep, "label", { htmlFor: id, textContent: "File" });
  const file = add(keep, "input", { id, type: "text", value: model.get("file"), spellcheck: false });
  button(keep, "Save", ask("save"));
  button(keep, "Load", ask("load"));
  const show = () => {
    const text = model.get("running") ? "Pause" : "Start";
    if (go.textContent !== text) go.textContent = text;
    state.textContent = model.get("state");
  };
  const answer = () => {
    model.set("seen", model.get("shown"));
    model.save_changes();
  };
  model.on("change:running change:state", show);
  model.on("change:shown", answer);
  show();
  return () => {
    model.off("change:running change:state", show);
    model.off("change:shown", answer);
  };
}

function add(parent, tag, properties = {}) {
  const node = Object.assign(document.createElement(tag), properties);
  parent.append(node);
  return node;
}

function button(parent, text, action) {
  const node = add(parent, "button", { type: "button", textContent: text });
  node.addEventListener("click", action);
  return node;
}

export default { render };
