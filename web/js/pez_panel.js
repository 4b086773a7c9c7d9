// The panel on nodes that search: first the running search, then its results.

import { api } from "../../../scripts/api.js";
import { app } from "../../../scripts/app.js";
import { isSearching, nodeByLocator, nodesWithPaths, pathsOf } from "./graph/nodes.js";
import { checked } from "./outcome/check.js";
import { isShown } from "./outcome/event.js";
import { adopt, keep, saveWith } from "./outcome/keep.js";
import { remember, rememberSearch, settle } from "./outcome/pick.js";
import { isOfShown, takes } from "./outcome/runs.js";
import { addSearchPanel, endRuns, everyPanel, panelOf, panelsOnPath, refresh, showAll } from "./panel/on_nodes.js";
import { onShownParts } from "./page/settings.js";
import { record } from "./page/history.js";
import { loadWords, say } from "./panel/words.js";


const WIDTH = 400; // of a new node

const searching = new Set(); // names of node types

const shown = new WeakMap(); // node -> the output that it shows already

// The outcomes, where they are new.
function showFound(node, output) {
  const outcomes = shown.get(node) === output?.pez ? null : checked(output?.pez);
  const paths = pathsOf(app.rootGraph, node); // several, where its sub-graph is used several times
  const [path] = paths.filter((each) => output?.pez_path?.includes(each)).concat(paths);
  if (!outcomes || !path) return null;
  shown.set(node, output.pez);
  keep(node, outcomes, path);
  remember(node, path);
  rememberSearch(node, path);
  refresh(node, path);
  return outcomes;
}

api.addEventListener("pez.state", ({ detail }) => {
  if (!isShown(detail)) return;
  for (const path of detail.panels) for (const panel of panelsOnPath(path)) panel.showState(detail);
});

api.addEventListener("pez.progress", ({ detail }) => {
  if (isShown(detail)) for (const panel of panelsOnPath(detail.node)) panel.showProgress(detail);
});

// What the nodes before a search do wrong ends it without a word from it.
api.addEventListener("execution_interrupted", () => everyPanel().forEach((panel) => panel.end("cancelled")));
api.addEventListener("execution_error", ({ detail }) => {
  const said = detail?.exception_message?.trim() ?? "";
  const own = said && isOfShown(detail.prompt_id) ? panelsOnPath(String(detail.node_id)) : [];
  for (const panel of own) panel.fail(said);
  everyPanel().forEach((panel) => panel.end("error", [say("elsewhere"), said].filter(Boolean).join(" ")));
});

// A node whose result was known already says nothing more after "loading".
api.addEventListener("execution_success", () => {
  for (const [, node] of nodesWithPaths(app.rootGraph)) if (panelOf(node) && !node.subgraph) endRuns(node);
});

api.addEventListener("graphChanged", () => {
  for (const [path, node] of nodesWithPaths(app.rootGraph)) if (panelOf(node) && !node.subgraph && settle(node, path)) refresh(node);
  for (const panel of everyPanel()) if (panel.outcomes) panel.draw(); // whether the next run picks from them may be another
});

onShownParts(() => everyPanel().forEach((panel) => panel.draw()));

app.registerExtension({
  name: "pez.Panel",
  init: loadWords,
  setup: () => saveWith(app.rootGraph),
  beforeRegisterNodeDef(_nodeType, nodeData) {
    if (isSearching(nodeData.output)) searching.add(nodeData.name);
  },
  nodeCreated(node) {
    if (!searching.has(node.comfyClass)) return;
    addSearchPanel(node);
    node.setSize([Math.max(WIDTH, node.size[0]), node.size[1]]);
    const { onExecuted, onConfigure } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      const outcomes = takes(this) ? showFound(this, output) : checked(output?.pez);
      if (outcomes) record(outcomes);
    };
    node.onConfigure = function () {
      onConfigure?.apply(this, arguments);
      refresh(this); // a copy shows what the original found
    };
  },
  afterConfigureGraph() {
    adopt(app.rootGraph);
    showAll(app.rootGraph);
    for (const [path, node] of nodesWithPaths(app.rootGraph)) {
      if (!panelOf(node) || node.subgraph) continue;
      remember(node, path);
      rememberSearch(node, path);
      refresh(node, path);
    }
  },
  onNodeOutputsUpdated(outputs) {
    for (const [locator, output] of Object.entries(outputs)) {
      const node = nodeByLocator(app.rootGraph, locator);
      if (panelOf(node)) showFound(node, output);
    }
  },
});
