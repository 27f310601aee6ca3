// What makes a training go: start and pause, one step, new weights.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  el.classList.add("vaecourse-control", "vaecourse-transport");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab takes the keys for itself
  const button = (/** @type {string} */ text, /** @type {() => string} */ action) => {
    const node = document.createElement("button");
    Object.assign(node, { type: "button", textContent: text });
    node.addEventListener("click", () => model.send({ do: action() }));
    el.append(node);
    return node;
  };
  const go = button("Start", () => (model.get("running") ? "pause" : "start"));
  go.classList.add("vaecourse-go");
  button("Step", () => "step");
  button("New weights", () => "reinitialise");
  const state = document.createElement("span"); // not announced: it changes all the time
  state.className = "vaecourse-state";
  el.append(state);
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

export default { render };
