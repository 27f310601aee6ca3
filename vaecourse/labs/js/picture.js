// The picture of a lab, with a name that a screen reader says. On a canvas: of an <img> whose source changes the
// browser keeps what it has shown, some hundred megabytes in a training of ten minutes.
/** @param {import("./widget.d.ts").Context} context */
function render({ model, el }) {
  el.classList.add("vaecourse-picture");
  const canvas = document.createElement("canvas");
  const ink = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  canvas.setAttribute("role", "img");
  el.append(canvas);
  let asked = 0;
  let shown = 0;
  const show = async () => {
    const turn = ++asked;
    const picture = await createImageBitmap(new Blob([model.get("value")], { type: "image/png" }));
    if (turn > shown) {
      shown = turn;
      if (canvas.width !== picture.width) canvas.width = picture.width;
      if (canvas.height !== picture.height) canvas.height = picture.height;
      ink.drawImage(picture, 0, 0);
      canvas.dataset.shown = String(turn); // for the tests: how many it has shown
    }
    picture.close();
  };
  const name = () => canvas.setAttribute("aria-label", model.get("alt"));
  model.on("change:value", show);
  model.on("change:alt", name);
  name();
  show();
  return () => {
    model.off("change:value", show);
    model.off("change:alt", name);
  };
}

export default { render };
