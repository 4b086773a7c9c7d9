// New nodes beside others, as one step of undo.

import { app } from "../../../../scripts/app.js";

const GAP = 40;

// Runs `change` so that one undo takes back all of it.
export function asOneStep(change) {
  const { canvas } = app;
  canvas.emitBeforeChange();
  try {
    return change();
  } finally {
    canvas.emitAfterChange();
    canvas.setDirty(true, true);
  }
}

// A node of this type in the graph, at place(node).
export function addAt(graph, type, place) {
  const node = globalThis.LiteGraph.createNode(type);
  node.pos = place(node);
  graph.add(node);
  return node;
}

// The same, or under what is there.
export function add(graph, type, place) {
  const node = addAt(graph, type, place);
  const covered = () => graph.nodes.find((each) => each !== node && meet(each, node));
  for (let other = covered(); other; other = covered()) node.pos = [node.pos[0], below(other)()[1]];
  return node;
}

const title = () => globalThis.LiteGraph.NODE_TITLE_HEIGHT;

const meet = (one, other) =>
  Math.max(one.pos[0], other.pos[0]) < Math.min(one.pos[0] + one.size[0], other.pos[0] + other.size[0]) &&
  Math.max(one.pos[1], other.pos[1]) - title() < Math.min(one.pos[1] + one.size[1], other.pos[1] + other.size[1]);

export const rightOf = (...nodes) => () => [Math.max(...nodes.map((each) => each.pos[0] + each.size[0])) + GAP, nodes[0].pos[1]];
export const below = (node) => () => [node.pos[0], node.pos[1] + node.size[1] + GAP + title()];
export const leftOf = (node) => (added) => [node.pos[0] - added.size[0] - GAP, node.pos[1]];

export const inputSlot = (node, name) => node.inputs?.findIndex((each) => each.name === name) ?? -1;

// Connects an output to the input of that name; does nothing where there is no such input.
export function wire(from, output, to, name) {
  const slot = inputSlot(to, name);
  if (slot >= 0) from.connect(output, to, slot);
}

export function selectOnly(node) {
  app.canvas.deselectAll?.();
  app.canvas.select?.(node);
}

// Lets an input's own widget count again, in place of what is wired to it.
export function unwire(node, name) {
  const slot = inputSlot(node, name);
  if (node.inputs?.[slot]?.link != null) node.disconnectInput(slot);
}
