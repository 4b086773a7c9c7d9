// PEZ Load Model: wide enough for its labels; `name` is shown only where it is used.

import { app } from "../../../../scripts/app.js";

const WIDTH = 400;
const OTHER = "Other (by name)";

function arrange(node) {
  const widget = (name) => node.widgets?.find((each) => each.name === name);
  const name = widget("name");
  if (!name) return;
  const hidden = widget("model")?.value !== OTHER;
  name.hidden = hidden; // for the classic renderer
  name.options.hidden = hidden; // for "Nodes 2.0"
  node.setDirtyCanvas?.(true, true);
}

app.registerExtension({
  name: "pez.LoadModel",
  nodeCreated(node) {
    if (node.comfyClass !== "PEZLoadModel") return;
    node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
    const model = node.widgets?.find((each) => each.name === "model");
    const { callback } = model;
    model.callback = function () {
      callback?.apply(this, arguments);
      arrange(node);
    };
    const { onConfigure } = node;
    node.onConfigure = function () {
      onConfigure?.apply(this, arguments);
      arrange(this);
    };
    arrange(node);
  },
});
