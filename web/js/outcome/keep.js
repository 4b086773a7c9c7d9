// A node's outcomes are saved, opened and copied with the workflow. A run is no edit, so in the workflow they lie in the
// graph's `config`, which ComfyUI neither compares nor counts as a change; a copied node carries its own as a property.

import { app } from "../../../../scripts/app.js";
import { nodesWithPaths, pathsOf } from "../graph/nodes.js";
import { checked, VERSION } from "./check.js";

const PROPERTY = "pez_found";
const held = new WeakMap(); // node -> { latest, byPath: path -> outcomes }
const session = takeSession();

const sessionKey = (path) => `pez:${app.rootGraph.id}:${path}`;

// The latest outcomes of a node, or those at a path: a sub-graph that is used twice has each node once, which searches twice.
export function outcomesOf(node, path) {
  const { latest = null, byPath = new Map() } = held.get(node) ?? {};
  if (path === undefined || !byPath.size || pathsOf(app.rootGraph, node).length < 2) return latest;
  return byPath.get(path) ?? null;
}

function hold(node, outcomes, path) {
  const byPath = held.get(node)?.byPath ?? new Map();
  if (path !== undefined) byPath.set(path, outcomes);
  held.set(node, { latest: outcomes, byPath });
}

// Keeps the outcomes of a run, also in what the page remembers of the workflow, so that undo does not take them away.
export function keep(node, outcomes, path) {
  hold(node, outcomes, path);
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  const states = [tracker?.initialState, tracker?.activeState, ...(tracker?.undoQueue ?? []), ...(tracker?.redoQueue ?? [])];
  const saved = savedForm();
  for (const state of states) {
    if (state && state.id === app.rootGraph.id) state.config = { ...state.config, pez: saved };
  }
  try {
    // the page saves a draft only after an edit: a reload right after a run would lose the outcome
    sessionStorage.setItem(sessionKey(path), JSON.stringify(outcomes));
  } catch {
    // full, or not allowed: the workflow has it
  }
}

function savedForm() {
  const outcomes = {};
  for (const [path, node] of nodesWithPaths(app.rootGraph)) {
    const found = outcomesOf(node, path);
    if (found) outcomes[path] = found;
  }
  return { version: VERSION, outcomes };
}

// What the session kept before the page was loaded anew; each is used once, so that a template opens empty.
function takeSession() {
  try {
    return new Map(Object.entries(sessionStorage).filter(([key]) => key.startsWith("pez:")));
  } catch {
    return new Map();
  }
}

// Makes the graph write its outcomes where a run is no edit. Call once for the root graph.
export function saveWith(graph) {
  const { onSerialize } = graph;
  graph.onSerialize = function (data) {
    onSerialize?.apply(this, arguments);
    const saved = savedForm();
    const { pez, ...config } = data.config ?? {};
    data.config = Object.keys(saved.outcomes).length ? { ...config, pez: saved } : config;
    const inner = data.definitions?.subgraphs ?? [];
    for (const node of [data, ...inner].flatMap((each) => each.nodes ?? [])) delete node.properties?.[PROPERTY];
  };
}

// Makes a node carry its outcomes into its copies.
export function copyWith(node) {
  const { onSerialize, onConfigure } = node;
  node.onSerialize = function (data) {
    onSerialize?.apply(this, arguments);
    const outcomes = outcomesOf(this);
    if (outcomes) data.properties = { ...data.properties, [PROPERTY]: { version: VERSION, outcomes } };
  };
  node.onConfigure = function () {
    onConfigure?.apply(this, arguments);
    const found = checked(this.properties?.[PROPERTY]?.outcomes);
    delete this.properties?.[PROPERTY];
    if (found) hold(this, found);
  };
}

// Takes the outcomes out of a graph that has just been opened.
export function adopt(graph) {
  const saved = graph.config?.pez;
  if (graph.config) delete graph.config.pez;
  const fits = saved?.version === VERSION && typeof saved.outcomes === "object" ? saved.outcomes : {};
  for (const [path, node] of nodesWithPaths(graph)) {
    const key = sessionKey(path);
    const found = checked(fits?.[path]) ?? (outcomesOf(node, path) ? null : parsed(session.get(key)));
    session.delete(key);
    if (found) hold(node, found, path);
  }
}

function parsed(text) {
  try {
    return checked(JSON.parse(text));
  } catch {
    return null;
  }
}
