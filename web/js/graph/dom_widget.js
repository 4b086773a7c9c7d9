// An element on a node that only shows something: it is neither saved nor sent, and it is no parameter.

import { app } from "../../../../scripts/app.js";

const own = new Map(); // element -> [node, name of its widget]

// label: what ComfyUI's menus call it.
export function addShown(node, name, label, element, options) {
  const shown = { getValue: () => "", setValue: () => {}, hideInPanel: true, serialize: false, ...options };
  Object.assign(node.addDOMWidget(name, name, element, shown), { serialize: false, label });
  own.set(element, [node, name]);
}

// An element knows its place; those of nodes that are gone keep it, and are forgotten.
function mark() {
  for (const [element, [node, name]] of own) {
    if (node.graph) element.dataset.pezPlace = `${node.graph.id}:${node.id}:${name}`;
    else own.delete(element);
  }
}

// "Nodes 2.0" keeps the element of the node before, when undo makes the node anew. The new one takes its place.
function takePlaces() {
  mark();
  for (const element of own.keys()) {
    if (element.isConnected) continue;
    const old = document.querySelector(`[data-pez-place="${CSS.escape(element.dataset.pezPlace)}"]`);
    old?.replaceWith(element);
  }
}

app.registerExtension({
  name: "pez.DomWidgets",
  beforeConfigureGraph: mark,
  afterConfigureGraph() {
    if (!globalThis.LiteGraph.vueNodesMode) return;
    for (const wait of [50, 300, 1000]) setTimeout(takePlaces, wait); // the page draws its nodes in its own time
  },
});
