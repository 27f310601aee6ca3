// A file for the state of a training, on the machine where the kernel runs.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  el.classList.add("vaecourse-control", "vaecourse-store");
  el.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab takes the keys for itself
  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Tag} tag
   * @param {object} properties
   */
  const add = (tag, properties) => {
    const node = Object.assign(document.createElement(tag), properties);
    el.append(node);
    return node;
  };
  const id = `vaecourse-file-${Math.random().toString(36).slice(2)}`;
  add("label", { htmlFor: id, textContent: "Keep it in the file" });
  const file = add("input", { id, type: "text", value: model.get("file"), spellcheck: false });
  for (const [text, what] of [["Save", "save"], ["Load", "load"]]) {
    add("button", { type: "button", textContent: text }).addEventListener(
      "click",
      () => model.send({ do: what, file: file.value.trim() }),
    );
  }
}

export default { render };
