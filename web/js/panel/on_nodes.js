// Which nodes have a panel, and the panels by node. A sub-graph shows on its outside what a search within it does.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";
import { addShown } from "../graph/dom_widget.js";
import { namesOfTexts, nodesOnPath, nodesWithPaths, pathsOf } from "../graph/nodes.js";
import { copyWith, outcomesOf } from "../outcome/keep.js";
import { candidateOf, keepsSeed, pick, repeats, useSeed, watch } from "../outcome/pick.js";
import { Panel } from "./panel.js";
import { follow, sizeOptions } from "./size.js";
import { say } from "./words.js";

const WIDGET = "pez_panel";
const FOLDED = "pez_folded"; // property of a node

const panels = new Map(); // node -> its panel
const outer = new Map(); // sub-graph node -> the searching node within it that its panel shows, and its path

export const panelOf = (node) => panels.get(node);
export const everyPanel = () => [...panels.values()];

const stop = (run, part) => {
  const place = [run, part].filter((each) => each !== undefined).map(encodeURIComponent);
  return api.fetchApi(`/pez/stop/${place.join("/")}`, { method: "POST" });
};

// source(): the searching node that the panel belongs to, and its path; added: to a node that has been there without it.
function addPanel(node, source, added = false) {
  const panel = new Panel({
    stop,
    stopAll: (run) => stop(run),
    pick: (number) => {
      pick(source().node, panel.outcomes[0], number, source().path);
      refresh(source().node);
    },
    keepsSeed: (outcome) => keepsSeed(source().node, outcome, source().path),
    repeats: (outcome) => repeats(source().node, outcome, source().path),
    useSeed: (outcome) => {
      useSeed(source().node, outcome, source().path);
      refresh(source().node);
    },
    fold: (folded) => {
      node.properties[FOLDED] = folded;
      panel.fold(folded);
    },
    names: () => namesOfTexts(source().node),
  });
  addShown(node, WIDGET, say("panel"), panel.element, sizeOptions(node));
  panels.set(node, panel);
  follow(node, panel, added);
  const { onRemoved } = node;
  node.onRemoved = function () {
    onRemoved?.apply(this, arguments);
    if (!this.graph?.getNodeById(this.id)) panels.delete(this);
  };
  return panel;
}

export function addSearchPanel(node) {
  addPanel(node, () => ({ node, path: pathsOf(app.rootGraph, node)[0] }));
  copyWith(node);
  watch(node, () => refresh(node));
}

// Shows again what the node found, on its own panel and on those of the sub-graphs around it; with `at`, of these only on
// those around the search at this path.
export function refresh(node, at) {
  for (const [panel, path] of panelsAround(node)) {
    if ([at, path].includes(undefined) || at === path) showFound(node, panel, path);
  }
}

// The same on panels that still show a run.
export function endRuns(node) {
  for (const [panel, path] of panelsAround(node)) if (panel.run) showFound(node, panel, path);
}

const showFound = (node, panel, path) => panel.showOutcomes(outcomesOf(node, path), candidateOf(node, path));

// Each with the path of its search; the own panel has none: it shows what the node found last.
function panelsAround(node) {
  const around = [[panels.get(node), undefined]];
  for (const [each, shown] of outer) if (shown.node === node) around.push([panels.get(each), shown.path]);
  return around.filter(([panel]) => panel);
}

// The panels that show the searching node at `path`: its own, and one on each sub-graph around it.
export function panelsOnPath(path) {
  const nodes = nodesOnPath(app.rootGraph, path);
  const node = nodes.pop();
  if (!panels.has(node)) return [];
  for (const each of nodes) showOutside(each, node, path);
  return [...nodes, node].map((each) => panels.get(each)).filter(Boolean);
}

function showOutside(each, node, path) {
  outer.set(each, { node, path });
  if (!panels.has(each)) addPanel(each, () => outer.get(each), true);
}

// Call after a workflow has been opened: sub-graphs with a search in them get their panel, and every panel its outcome.
export function showAll(graph) {
  for (const each of panels.keys()) {
    if (each.graph) continue;
    panels.delete(each);
    outer.delete(each);
  }
  for (const [path, node] of nodesWithPaths(graph)) {
    if (!panels.has(node) || node.subgraph) continue;
    panelsOnPath(path);
    panels.get(node).fold(Boolean(node.properties[FOLDED]));
    refresh(node);
  }
}
