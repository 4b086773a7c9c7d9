// The pack's page in ComfyUI's settings: what new nodes begin with, and what a panel shows.

import { app } from "../../../../scripts/app.js";
import { set } from "../outcome/pick.js";
import { sayValue } from "../panel/words.js";

const PARTS = { chart: "PEZ.Panel.Chart", candidates: "PEZ.Panel.Candidates", contributions: "PEZ.Panel.Contributions" };
const DEFAULTS = { model: "PEZ.Default.Model", preset: "PEZ.Default.Preset" }; // by widget
const AS_IT_IS = ""; // leaves a node's own default

const value = (id) => app.extensionManager?.setting?.get(id);
const listeners = new Set();

// Which parts of a panel are shown: { chart, candidates, contributions }.
export function shownParts() {
  return Object.fromEntries(Object.entries(PARTS).map(([part, id]) => [part, value(id) ?? true]));
}

// Calls `listener` after the parts have changed.
export function onShownParts(listener) {
  listeners.add(listener);
}

const part = (id, group, name, tooltip) => ({
  id,
  category: ["PEZ", group, name],
  name,
  tooltip,
  type: "boolean",
  defaultValue: true,
  onChange: () => setTimeout(() => listeners.forEach((listener) => listener())), // once the value is in place
});

const start = (id, name, tooltip, options) => ({
  id,
  category: ["PEZ", "New nodes", name],
  name,
  tooltip,
  type: "combo",
  defaultValue: AS_IT_IS,
  options,
});

// The choices of a widget, as the first node that has it knows them.
const choices = {};
const optionsOf = (widget) => () => [{ text: "–", value: AS_IT_IS }, ...(choices[widget] ?? []).map((value) => ({ text: sayValue(value), value }))];

app.registerExtension({
  name: "pez.Settings",
  settings: [
    start(DEFAULTS.model, "Model", "What a new PEZ Load Model begins with.", optionsOf("model")),
    start(DEFAULTS.preset, "Preset", "What a new node that searches begins with.", optionsOf("preset")),
    part(PARTS.chart, "Panel", "Show the chart", "The search's own estimate by step, below the prompt."),
    part(PARTS.candidates, "Panel", "Show the candidates", "The other good prompts of a search."),
    part(PARTS.contributions, "Panel", "Show contributions", "A bar under each word: how much it contributes."),
  ],
  beforeRegisterNodeDef(_nodeType, nodeData) {
    if (!nodeData.name.startsWith("PEZ")) return;
    for (const widget of Object.keys(DEFAULTS)) {
      const spec = nodeData.input?.required?.[widget] ?? nodeData.input?.optional?.[widget];
      const options = Array.isArray(spec?.[0]) ? spec[0] : spec?.[1]?.options;
      if (options) choices[widget] ??= options;
    }
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("PEZ")) return;
    for (const [name, id] of Object.entries(DEFAULTS)) {
      if (choices[name]?.includes(value(id))) set(node, name, value(id));
    }
  },
});
