// What can be done with a prompt that a node has found: its menu, and the commands with their keys.

import { app } from "../../../../scripts/app.js";
import { add, asOneStep, inputSlot, leftOf, rightOf, selectOnly, unwire, wire } from "../graph/make.js";
import { nodesWithPaths, originOf } from "../graph/nodes.js";
import { outcomesOf } from "../outcome/keep.js";
import { set, useSeed } from "../outcome/pick.js";
import { copyText } from "../panel/elements.js";
import { panelOf, refresh } from "../panel/on_nodes.js";
import { say } from "../panel/words.js";
import { presetItems } from "./presets.js";

const ENCODE = "CLIPTextEncode";

// CLIP Text Encode behind the node's prompt; its CLIP is that of another one in the graph, if there is one.
function makeEncode(node) {
  asOneStep(() => {
    const other = node.graph.nodes.find((each) => each.type === ENCODE);
    const encode = add(node.graph, ENCODE, rightOf(node));
    wire(node, node.outputs.findIndex((each) => each.type === "STRING"), encode, "text");
    const clip = other ? originOf(app.rootGraph, other, inputSlot(other, "clip")) : null;
    if (clip && clip[0].graph === node.graph) wire(clip[0], clip[1], encode, "clip");
    selectOnly(encode);
  });
}

// The prompt as the words that the next search starts from, in the PEZ Words before the node.
function startFrom(node) {
  asOneStep(() => {
    const before = originOf(app.rootGraph, node, inputSlot(node, "words"))?.[0];
    const words = before?.type === "PEZWords" ? before : add(node.graph, "PEZWords", leftOf(node));
    if (words !== before) wire(words, 0, node, "words");
    unwire(words, "start_words");
    set(words, "start_words", panelOf(node).shownPrompts()[0].text);
    selectOnly(words);
  });
}

const item = (key, callback, disabled = false) => ({ content: say(key), callback, disabled });

// The panel that a command is meant for: that of a selected node, else of the one that is searching, else of the only one.
function panelToUse(wanted) {
  const selected = Object.values(app.canvas.selected_nodes ?? {}).map(panelOf);
  const all = [...nodesWithPaths(app.rootGraph)].map(([, node]) => panelOf(node));
  return [...selected, ...all].find((panel) => panel && wanted(panel));
}

app.registerExtension({
  name: "pez.UsePrompt",
  commands: [
    { id: "PEZ.Stop", label: "PEZ: Stop and keep the best", function: () => panelToUse((panel) => panel.run?.id)?.stopButton.click() },
    {
      id: "PEZ.Copy",
      label: "PEZ: Copy the prompt",
      function: () => panelToUse((panel) => panel.shownPrompts().length)?.copyButton.click(),
    },
  ],
  keybindings: [
    { commandId: "PEZ.Stop", combo: { key: "s", alt: true, shift: true } },
    { commandId: "PEZ.Copy", combo: { key: "c", alt: true, shift: true } },
  ],
  menuCommands: [{ path: ["Extensions", "PEZ"], commands: ["PEZ.Stop", "PEZ.Copy"] }],
  getNodeMenuItems(node) {
    const panel = panelOf(node);
    if (!panel || node.subgraph) return presetItems(node);
    const none = !panel.shownPrompts().length;
    const outcome = outcomesOf(node)?.[0];
    const seed = () => {
      useSeed(node, outcome);
      refresh(node);
    };
    return [
      item("copy the prompt", () => copyText(panel.delivered()), none),
      ...(node.outputs.some((each) => each.type === "PEZ_RESULT") ? [item("make encode", () => makeEncode(node))] : []),
      ...(inputSlot(node, "words") >= 0 ? [item("start from", () => startFrom(node), none)] : []),
      item("use seed", seed, !outcome),
      ...presetItems(node),
    ];
  },
});
