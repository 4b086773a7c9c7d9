// "Find prompt (PEZ)" on every node that has a picture: a search for it, ready to run.

import { app } from "../../../../scripts/app.js";
import { originOf } from "../graph/nodes.js";
import { add, asOneStep, below, rightOf, selectOnly, wire } from "../graph/make.js";
import { say } from "../panel/words.js";

// The output that has the node's picture: [node, slot], or null. Nodes that only show a picture have it from another node.
function pictureOf(node) {
  const output = node.outputs?.findIndex((each) => each.type === "IMAGE") ?? -1;
  if (output >= 0) return [node, output];
  const input = node.inputs?.findIndex((each) => each.type === "IMAGE" && each.link !== null) ?? -1;
  const origin = input >= 0 ? originOf(app.rootGraph, node, input) : null;
  return origin?.[0]?.graph === node.graph ? origin : null;
}

function findPrompt(node) {
  asOneStep(() => {
    const { graph } = node;
    const [from, output] = pictureOf(node);
    const there = graph.nodes.find((each) => each.type === "PEZLoadModel");
    const model = there ?? add(graph, "PEZLoadModel", below(node));
    const invert = add(graph, "PEZInvert", rightOf(node, ...(there ? [] : [model])));
    wire(model, 0, invert, "pez_model");
    wire(from, output, invert, "image");
    selectOnly(invert);
  });
}

app.registerExtension({
  name: "pez.FindPrompt",
  getNodeMenuItems(node) {
    if (!pictureOf(node)) return [];
    return [{ content: say("find prompt"), callback: () => findPrompt(node) }];
  },
});
