// PEZ Load Model: wide enough for its labels; `name` is shown only where it is used or in the way.

import { app } from "../../../../scripts/app.js";

const WIDTH = 400;
const OTHER = "Other (by name)";

function arrange(node) {
  const widget = (name) => node.widgets?.find((each) => each.name === name);
  const name = widget("name");
  if (!name) return;
  const fed = node.inputs?.find((each) => each.name === "model")?.link != null; // then the widget's value is not the model
  const hidden = !fed && widget("model")?.value !== OTHER && !name.value?.trim();
  name.hidden = hidden; // for the classic renderer
  name.options.hidden = hidden; // for "Nodes 2.0"
  node.setDirtyCanvas?.(true, true);
}

app.registerExtension({
  name: "pez.LoadModel",
  nodeCreated(node) {
    if (node.comfyClass !== "PEZLoadModel") return;
    node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
    for (const widget of node.widgets.filter((each) => ["model", "name"].includes(each.name))) {
      const { callback } = widget;
      widget.callback = function () {
        callback?.apply(this, arguments);
        arrange(node);
      };
    }
    for (const event of ["onConfigure", "onConnectionsChange"]) {
      const own = node[event];
      node[event] = function () {
        own?.apply(this, arguments);
        arrange(this);
      };
    }
    arrange(node);
  },
});
