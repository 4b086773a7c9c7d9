// The panel on nodes that search: first the running search, then its results.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { keep, kept } from "./panel/kept.js";
import { nodeByLocator, nodeByPath } from "./panel/nodes.js";
import { Panel } from "./panel/panel.js";
import { loadWords } from "./panel/words.js";

const RESULT = "PEZ_RESULT"; // the output type that makes a node one that searches
const WIDGET = "pez_panel";
const HEIGHT = 260;

const searching = new Set(); // names of node types
const panels = new WeakMap();

function addPanel(node) {
  const panel = new Panel({
    stop: (run) => api.fetchApi(`/pez/stop/${encodeURIComponent(run)}`, { method: "POST" }),
    pick: (number) => setPicked(node, number),
  });
  const widget = node.addDOMWidget(WIDGET, "pez_panel", panel.element, {
    getValue: () => "",
    setValue: () => {},
    getMinHeight: () => HEIGHT,
    serialize: false, // only shown: not saved with the workflow, not sent with the graph
  });
  widget.serialize = false;
  panels.set(node, panel);
}

function pickWidget(node) {
  return node.widgets?.find((widget) => widget.name === "candidate");
}

function setPicked(node, number) {
  const widget = pickWidget(node);
  if (!widget) return;
  widget.value = number;
  widget.callback?.(number);
  node.setDirtyCanvas?.(true, true);
}

function showFound(node, output) {
  const found = output?.pez;
  if (!found?.length) return;
  keep(node, found);
  panels.get(node)?.showFound(found, pickWidget(node)?.value);
}

// Another tab of the page may have a node with the same id.
function isShown(workflow) {
  return !workflow || !app.rootGraph?.id || workflow === app.rootGraph.id;
}

api.addEventListener("pez.progress", ({ detail }) => {
  if (isShown(detail.workflow)) panels.get(nodeByPath(app.rootGraph, detail.node))?.showRun(detail);
});

for (const end of ["execution_error", "execution_interrupted"]) {
  api.addEventListener(end, ({ detail }) => {
    const node = nodeByPath(app.rootGraph, detail.node_id);
    panels.get(node)?.showFound(kept(node), pickWidget(node)?.value);
  });
}

app.registerExtension({
  name: "pez.Panel",
  init: loadWords,
  beforeRegisterNodeDef(_nodeType, nodeData) {
    if (nodeData.output?.includes(RESULT)) searching.add(nodeData.name);
  },
  nodeCreated(node) {
    if (!searching.has(node.comfyClass)) return;
    addPanel(node);
    const { onExecuted, onConfigure } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      showFound(this, output);
    };
    node.onConfigure = function () {
      onConfigure?.apply(this, arguments);
      panels.get(this)?.showFound(kept(this), pickWidget(this)?.value);
    };
  },
  onNodeOutputsUpdated(outputs) {
    for (const [locator, output] of Object.entries(outputs)) {
      const node = nodeByLocator(app.rootGraph, locator);
      if (panels.has(node)) showFound(node, output);
    }
  },
});
