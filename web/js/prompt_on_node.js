// Shows on PEZ Invert and PEZ Distill the best prompt so far while it runs, and the found one with its similarity after.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";

const NODES = ["PEZInvert", "PEZDistill"];
const WIDGET = "found_prompt";

function addWidget(node) {
  const area = document.createElement("textarea");
  area.className = "comfy-multiline-input";
  area.readOnly = true;
  area.placeholder = "the prompt appears here";
  area.setAttribute("aria-label", "Found prompt and its similarity");
  const widget = node.addDOMWidget(WIDGET, "pez_text", area, {
    getValue: () => area.value,
    setValue: (text) => (area.value = text),
    getMinHeight: () => 80,
    serialize: false, // shown only: neither saved with the workflow nor sent with the graph
  });
  widget.serialize = false;
}

function show(node, text) {
  const widget = node?.widgets?.find((each) => each.name === WIDGET);
  if (!widget) return;
  widget.value = text;
  node.setDirtyCanvas?.(true, true);
}

function showFound(node, output) {
  if (!output?.text?.length || !output.similarity?.length) return;
  show(node, output.text.map((prompt, i) => `${prompt}\n${output.similarity[i].toFixed(4)}`).join("\n\n"));
}

// A running node is named by the path to it: the sub-graphs' nodes, then its own id.
function nodeByPath(path) {
  const ids = String(path).split(":");
  const last = ids.pop();
  const graph = ids.reduce((within, id) => within?.getNodeById(id)?.subgraph, app.rootGraph);
  return graph?.getNodeById(last);
}

// Kept outputs are named by "node" in the workflow itself, by "sub-graph:node" inside one.
function nodeByLocator(locator) {
  const [first, second] = String(locator).split(":");
  return second === undefined
    ? app.rootGraph.getNodeById(first)
    : app.rootGraph.subgraphs?.get(first)?.getNodeById(second);
}

api.addEventListener("pez.progress", ({ detail }) => {
  const { node, prompt, similarity, step, steps } = detail;
  show(nodeByPath(node), `${prompt}\n${similarity.toFixed(4)}, step ${step} of ${steps}`);
});

app.registerExtension({
  name: "pez.PromptOnNode",
  nodeCreated(node) {
    if (!NODES.includes(node.comfyClass)) return;
    addWidget(node);
    const before = node.onExecuted;
    node.onExecuted = function (output) {
      before?.call(this, output);
      showFound(this, output);
    };
  },
  onNodeOutputsUpdated(outputs) {
    for (const [locator, output] of Object.entries(outputs)) {
      const node = nodeByLocator(locator);
      if (NODES.includes(node?.comfyClass)) showFound(node, output);
    }
  },
});
