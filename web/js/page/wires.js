// The colors of the pack's wires, and the pack among the suggestions when a wire is dragged from a picture.

import { app } from "../../../../scripts/app.js";

const COLORS = {
  PEZ_MODEL: "#e07a9a",
  PEZ_LANGUAGE_MODEL: "#c9c27a",
  PEZ_TARGET: "#d9a441",
  PEZ_RESULT: "#7fb069",
  PEZ_WORDS: "#5fb3b3",
  PEZ_SETTINGS: "#9d8fd9",
  PEZ_CLASSIFIER: "#6f9fd8",
};

function color() {
  const wires = globalThis.LGraphCanvas.link_type_colors;
  const sockets = app.canvas.default_connection_color_byType;
  for (const [type, value] of Object.entries(COLORS)) {
    wires[type] ||= value; // a palette may have its own
    sockets[type] ||= value;
    const name = `--color-datatype-${type}`; // of "Nodes 2.0"
    const { style } = document.documentElement;
    if (!style.getPropertyValue(name)) style.setProperty(name, wires[type]);
  }
}

function suggest() {
  const suggested = globalThis.LiteGraph.slot_types_default_out?.IMAGE;
  if (suggested && !suggested.includes("PEZInvert")) suggested.splice(1, 0, "PEZInvert");
}

app.registerExtension({
  name: "pez.Wires",
  setup() {
    color();
    suggest();
    // a change of the palette takes away the colors of types that it does not know
    new MutationObserver(color).observe(document.documentElement, { attributes: true, attributeFilter: ["style"] });
  },
  afterConfigureGraph() {
    color();
    suggest();
  },
});
