// Choosing another candidate of a search delivers exactly that text: the node must be as it was when it searched. As soon
// as anything else has changed, the node is back at the best.

import { app } from "../../../../scripts/app.js";
import { originOf } from "../graph/nodes.js";

const CANDIDATE = "candidate";
const SEED = "seed";
const CONTROLS = ["fixed", "increment", "decrement", "randomize"]; // what happens to the seed after a run

const chosen = new WeakMap(); // node -> what it was when its candidate was chosen

const widget = (node, name) => node.widgets?.find((each) => each.name === name);
const control = (node) => widget(node, SEED)?.linkedWidgets?.find((each) => CONTROLS.includes(each.value));

// Sets a widget as a person would.
export function set(node, name, value) {
  change(node, widget(node, name), value);
}

function change(node, found, value) {
  if (!found || found.value === value) return;
  found.value = value;
  found.callback?.(value);
  node.setDirtyCanvas?.(true, true);
}

// The widgets that say what to search, in their order.
export function settingsOf(node) {
  const other = [control(node), widget(node, CANDIDATE)];
  return (node.widgets ?? []).filter((each) => each.serialize !== false && !other.includes(each));
}

// Everything that a node's result depends on, except the candidate: its own values and those of the nodes before it.
function fingerprint(node, seen = new Set()) {
  if (!node || seen.has(node)) return null;
  seen.add(node);
  const own = settingsOf(node).map((each) => [each.name, each.value]);
  const before = (node.inputs ?? []).map((input, slot) => {
    const origin = originOf(app.rootGraph, node, slot);
    return origin && [input.name, origin[1], fingerprint(origin[0], seen)];
  });
  return [node.type, node.mode, own, before];
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
  if (candidateOf(node) > 1) chosen.set(node, current(node));
  else chosen.delete(node);
}

// Goes back to the best if anything else has changed since the choice. Returns whether it did.
export function settle(node) {
  if (candidateOf(node) === 1 || !chosen.has(node) || chosen.get(node) === current(node)) return false;
  chosen.delete(node);
  set(node, CANDIDATE, 1);
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
