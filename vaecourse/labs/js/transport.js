// What makes a training go: start and pause, so many steps, how fast; and its states to show.
const SPEEDS = [[0, "full speed"], [20, "20 steps/s"], [5, "5 steps/s"], [1, "1 step/s"]];

/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  el.classList.add("vaecourse-control", "vaecourse-transport");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab takes the keys for itself
  const button = (/** @type {string} */ text, /** @type {() => object} */ message) => {
    const node = document.createElement("button");
    Object.assign(node, { type: "button", textContent: text });
    node.addEventListener("click", () => model.send(message()));
    el.append(node);
    return node;
  };
  const go = button("Start", () => ({ do: model.get("running") ? "pause" : "start" }));
  go.classList.add("vaecourse-go");
  button("Step", () => ({ do: "step" }));
  const steps = document.createElement("input"), named = document.createElement("label");
  Object.assign(steps, { type: "number", min: "1", value: "200" });
  named.append(steps, "steps");
  const run = () => ({ do: "run", steps: steps.valueAsNumber });
  button("Run", run);
  steps.addEventListener("keydown", (event) => event.key === "Enter" && model.send(run()));
  el.append(named);
  const speed = document.createElement("select");
  speed.setAttribute("aria-label", "speed");
  for (const [value, textContent] of SPEEDS) {
    speed.append(Object.assign(document.createElement("option"), { value: String(value), textContent }));
  }
  speed.addEventListener("change", () => {
    model.set("speed", Number(speed.value));
    model.save_changes();
  });
  el.append(speed);
  button("Untrained", () => ({ do: "untrained" }));
  button("Trained", () => ({ do: "trained" }));
  button("New weights", () => ({ do: "reinitialise" }));
  const state = document.createElement("span"); // not announced: it changes all the time
  state.className = "vaecourse-state";
  el.append(state);
  const show = () => {
    const text = model.get("running") ? "Pause" : "Start";
    if (go.textContent !== text) go.textContent = text;
    state.textContent = model.get("state");
    speed.value = String(model.get("speed"));
    el.dataset.atStake = model.get("at_stake"); // kernel.css shows it where the kernel has ended
  };
  const answer = () => {
    model.set("seen", model.get("shown"));
    model.save_changes();
  };
  model.on("change:running change:state change:speed change:at_stake", show);
  model.on("change:shown", answer);
  show();
  return () => {
    model.off("change:running change:state change:speed change:at_stake", show);
    model.off("change:shown", answer);
  };
}

export default { render };
