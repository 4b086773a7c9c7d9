// Choosing another candidate of a search delivers exactly that text: the node must be as it was when it searched. As soon
// as anything else has changed, the node is back at the best.

import { app } from "../../../../scripts/app.js";
import { originOf, widgetOf } from "../graph/nodes.js";

const CANDIDATE = "candidate";
const SEED = "seed";
const CONTROLS = ["fixed", "increment", "decrement", "randomize"]; // what happens to the seed after a run

const chosen = new WeakMap(); // node -> its candidate, and what else it was when that was chosen

const widget = (node, name) => widgetOf(app.rootGraph, node, name);
const controlOf = (seed) => seed?.linkedWidgets?.find((each) => CONTROLS.includes(each.value));
const control = (node) => controlOf(widget(node, SEED));

// Sets a value as a person would, where the node takes it from.
export function set(node, name, value) {
  change(node, widget(node, name), value);
}

function change(node, found, value) {
  if (!found || found.value === value) return;
  found.value = value;
  found.callback?.(value);
  node.setDirtyCanvas?.(true, true);
}

// What says what to search, in the order of the node's widgets: [name, value] as the node takes them.
export function settingsOf(node) {
  const own = (node.widgets ?? []).filter((each) => each.serialize !== false && each.name !== CANDIDATE);
  const controls = own.map(controlOf);
  const settings = own.filter((each) => !controls.includes(each));
  return settings.map((each) => [each.name, (widget(node, each.name) ?? each).value]);
}

// Everything that a node's result depends on, except the candidate: its own values and those of the nodes before it, and of
// the nodes within these.
function fingerprint(node, seen = new Set()) {
  if (!node || seen.has(node)) return null;
  seen.add(node);
  const before = (node.inputs ?? []).map((input, slot) => {
    const origin = input.name === CANDIDATE ? null : originOf(app.rootGraph, node, slot);
    return origin && [input.name, origin[1], fingerprint(origin[0], seen)];
  });
  const within = (node.subgraph?.nodes ?? []).map((each) => fingerprint(each, seen));
  return [node.type, node.mode, settingsOf(node), before, within];
}

const current = (node) => JSON.stringify(fingerprint(node));

export function candidateOf(node) {
  return Number(widget(node, CANDIDATE)?.value ?? 1);
}

// Whether the node would search again with the seed of this outcome.
export function keepsSeed(node, outcome) {
  return widget(node, SEED)?.value === outcome.seed && (control(node)?.value ?? "fixed") === "fixed";
}

export function useSeed(node, outcome) {
  set(node, SEED, outcome.seed);
  change(node, control(node), "fixed");
}

export function pick(node, outcome, number) {
  useSeed(node, outcome);
  set(node, CANDIDATE, number);
  remember(node);
}

// Call after a choice, and when a workflow with a choice has been opened.
export function remember(node) {
  const candidate = candidateOf(node);
  chosen.set(node, { candidate, state: candidate > 1 ? current(node) : null });
}

// Goes back to the best if anything else has changed since the choice; a choice made outside the node counts from now on.
// Returns whether the candidate is another than before.
export function settle(node) {
  const before = chosen.get(node);
  const candidate = candidateOf(node);
  if (before?.candidate !== candidate) {
    remember(node);
    return before !== undefined;
  }
  if (candidate === 1 || before.state === current(node)) return false;
  set(node, CANDIDATE, 1);
  remember(node);
  return true;
}

// Watches the node's candidate: `changed` is called when it is chosen by hand; a queued graph is settled first.
export function watch(node, changed) {
  const found = widget(node, CANDIDATE);
  if (!found) return;
  const { callback, serializeValue } = found;
  found.callback = function () {
    callback?.apply(this, arguments);
    remember(node);
    changed();
  };
  found.serializeValue = function () {
    if (settle(node)) changed();
    return serializeValue ? serializeValue.apply(this, arguments) : found.value;
  };
}
