// Choosing another candidate of a search delivers exactly that text: the node must be as it was when it searched. As soon
// as anything else has changed, the node is back at the best.

import { app } from "../../../../scripts/app.js";
import { nodesOnPath, originOf, pathsOf, widgetOf } from "../graph/nodes.js";

const CANDIDATE = "candidate";
const SEED = "seed";
const CONTROLS = ["fixed", "increment", "decrement", "randomize"]; // what happens to the seed after a run

const searched = new WeakMap(); // node -> by path: all that it was when it searched, except for its seed
const chosen = new WeakMap(); // node -> by path: its candidate, and what else it was when that was chosen

// Where the node lies, if its sub-graph is used several times: `path`, or none for the first place.
const around = (path) => (path === undefined ? [] : nodesOnPath(app.rootGraph, path).slice(0, -1));
const widget = (node, name, path) => widgetOf(app.rootGraph, node, name, around(path));
const controlOf = (seed) => seed?.linkedWidgets?.find((each) => CONTROLS.includes(each.value));
const control = (node, path) => controlOf(widget(node, SEED, path));

// Sets a value as a person would, where the node takes it from.
export function set(node, name, value, path) {
  change(node, widget(node, name, path), value);
}

function change(node, found, value) {
  if (!found || found.value === value) return;
  found.value = value;
  found.callback?.(value);
  node.setDirtyCanvas?.(true, true);
}

// What says what to search, in the order of the node's widgets: [name, value] as the node takes them.
export function settingsOf(node, path) {
  const own = (node.widgets ?? []).filter((each) => each.serialize !== false && each.name !== CANDIDATE);
  const controls = own.map(controlOf);
  const settings = own.filter((each) => !controls.includes(each));
  return settings.map((each) => [each.name, (widget(node, each.name, path) ?? each).value]);
}

// Everything that a node's result depends on, except the candidate: its own values and those of the nodes before it, and of
// the nodes within these.
function fingerprint(node, path, seen = new Set()) {
  if (!node || seen.has(node)) return null;
  seen.add(node);
  const before = (node.inputs ?? []).map((input, slot) => {
    const origin = input.name === CANDIDATE ? null : originOf(app.rootGraph, node, slot, around(path));
    return origin && [input.name, origin[1], fingerprint(origin[0], path, seen)];
  });
  const within = (node.subgraph?.nodes ?? []).map((each) => fingerprint(each, path, seen));
  return [node.type, node.mode, settingsOf(node, path), before, within];
}

const current = (node, path) => JSON.stringify(fingerprint(node, path));

function exceptSeed(node, path) {
  const [type, mode, settings, ...others] = fingerprint(node, path);
  return JSON.stringify([type, mode, settings.filter(([name]) => name !== SEED), ...others]);
}

// Call when the node has found something, and when a workflow in which it has was opened.
export function rememberSearch(node, path) {
  if (!searched.has(node)) searched.set(node, new Map());
  searched.get(node).set(path, exceptSeed(node, path));
}

// Whether the next run delivers another candidate of this outcome instead of searching again.
export const repeats = (node, outcome, path) =>
  keepsSeed(node, outcome, path) && searched.get(node)?.get(path) === exceptSeed(node, path);

export function candidateOf(node, path) {
  return Number(widget(node, CANDIDATE, path)?.value ?? 1);
}

// Whether the node would search again with the seed of this outcome, as far as that can be set.
export function keepsSeed(node, outcome, path) {
  const seed = widget(node, SEED, path);
  return !seed || (seed.value === outcome.seed && (control(node, path)?.value ?? "fixed") === "fixed");
}

export function useSeed(node, outcome, path) {
  set(node, SEED, outcome.seed, path);
  change(node, control(node, path), "fixed");
}

export function pick(node, outcome, number, path) {
  useSeed(node, outcome, path);
  set(node, CANDIDATE, number, path);
  remember(node, path);
}

// Call after a choice, and when a workflow with a choice has been opened.
export function remember(node, path) {
  const candidate = candidateOf(node, path);
  if (!chosen.has(node)) chosen.set(node, new Map());
  chosen.get(node).set(path, { candidate, state: candidate > 1 ? current(node, path) : null });
}

// Goes back to the best if anything else has changed since the choice; a choice made outside the node counts from now on.
// Returns whether the candidate is another than before.
export function settle(node, path) {
  const before = chosen.get(node)?.get(path);
  const candidate = candidateOf(node, path);
  if (before?.candidate !== candidate) {
    remember(node, path);
    return before !== undefined;
  }
  if (candidate === 1 || before.state === current(node, path)) return false;
  set(node, CANDIDATE, 1, path);
  remember(node, path);
  return true;
}

// Calls `act` with each place of a node: several, if it lies in a sub-graph that is used several times.
const everywhere = (node, act) => pathsOf(app.rootGraph, node).map((path) => act(node, path));

// Watches the node's candidate: `changed` is called when it is chosen by hand; a queued graph is settled first.
export function watch(node, changed) {
  const found = widget(node, CANDIDATE);
  if (!found) return;
  const { callback, serializeValue } = found;
  found.callback = function () {
    callback?.apply(this, arguments);
    everywhere(node, remember);
    changed();
  };
  found.serializeValue = function () {
    if (everywhere(node, settle).some(Boolean)) changed();
    return serializeValue ? serializeValue.apply(this, arguments) : found.value;
  };
}
