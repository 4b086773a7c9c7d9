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

// A node of this type in the graph, at [x, y].
export function add(graph, type, [x, y]) {
  const node = globalThis.LiteGraph.createNode(type);
  node.pos = [x, y];
  graph.add(node);
  return node;
}

export const rightOf = (node, down = 0) => [node.pos[0] + node.size[0] + GAP, node.pos[1] + down];
export const below = (node) => [node.pos[0], node.pos[1] + node.size[1] + GAP + globalThis.LiteGraph.NODE_TITLE_HEIGHT];
export const leftOf = (node, width) => [node.pos[0] - width - GAP, node.pos[1]];

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
