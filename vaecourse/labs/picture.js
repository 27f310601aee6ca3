// The picture of a lab, and the sentence under it: both are told to a screen reader.
function render({ model, el }) {
  el.classList.add("vaecourse-picture");
  const image = document.createElement("img");
  image.setAttribute("role", "img");
  el.append(image);
  let shown = null;
  const show = () => {
    const next = URL.createObjectURL(new Blob([model.get("value")], { type: "image/png" }));
    const old = shown;
    shown = next;
    image.src = next;
    if (old) URL.revokeObjectURL(old);
  };
  const name = () => {
    image.alt = model.get("alt");
    image.setAttribute("aria-label", model.get("alt"));
  };
  model.on("change:value", show);
  model.on("change:alt", name);
  name();
  show();
  return () => {
    model.off("change:value", show);
    model.off("change:alt", name);
    URL.revokeObjectURL(shown);
  };
}

export default { render };
