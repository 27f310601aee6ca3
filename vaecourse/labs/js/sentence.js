// What the picture shows, in words that follow the controls.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  el.classList.add("vaecourse-sentence");
  el.setAttribute("role", "status");
  el.setAttribute("aria-live", "polite");
  const show = () => (el.innerHTML = model.get("value"));
  model.on("change:value", show);
  show();
  return () => model.off("change:value", show);
}

export default { render };
