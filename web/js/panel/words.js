// The panel's words: English here, every other language in `pez.panel` of locales/<language>/main.json. The choices of
// widgets are in `pez.values`; English ones are the values themselves.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

const ENGLISH = {
  panel: "Prompt search",
  prompt: "Best prompt and its similarity",
  "prompt accuracy": "Best prompt and its accuracy",
  ready: "Ready",
  idle: "The prompt appears here.",
  details: "Details",
  stop: "Stop",
  "stop best": "Stop and keep the best",
  "stop part": "Stop only this one and keep its best",
  "stop all": "Stop all",
  stopping: "Stopping …",
  over: "This search has already ended.",
  copy: "Copy",
  copied: "Copied",
  "copy prompt": "Copy prompt {number}",
  "copy candidate": "Copy candidate {number}",
  candidates: "Candidates ({count})",
  readability: "Readability",
  closest: "closest",
  "most readable": "most readable",
  which: "candidate {number} of {count}",
  "which next": "candidate {number} of {count}, used from the next run",
  "began with": "began with: {text}",
  "which of each": "candidate {number} in every row",
  "which of each next": "candidate {number} in every row, used from the next run",
  loading: "Loading the model {model} …",
  downloading: "Downloading {model}: {done} of {total} MB",
  "downloading some": "Downloading {model}: {done} MB",
  preparing: "Preparing …",
  part: "prompt {number} of {count}",
  "picture alone": "Picture {number}",
  step: "step {step} of {steps}",
  left: "{time} left",
  seconds: "{seconds} s",
  minutes: "{minutes} min",
  hours: "{hours} h {minutes} min",
  "steps done": "{steps} steps",
  steps: "all steps done",
  patience: "no more gain",
  "time limit": "time limit reached",
  "asked to": "stopped by you",
  prompts: "{count} prompts",
  seed: "seed {seed}",
  "use seed": "Use this seed",
  cancelled: "Canceled",
  error: "Error",
  elsewhere: "The run ended with an error in another node.",
  started: "The search has started.",
  ended: "The search has ended. Prompt: {prompt}",
  contribution: "contributes {value}",
  contributions: "Contributions: {words}",
  about: "about {value}",
  estimate: "Search's estimate by step: {first} to {last} in {steps} steps",
  "accuracy by step": "Accuracy by step: {first} to {last} in {steps} steps",
  accuracy: "accuracy",
  accurate: "accuracy {value}",
  without: "without a prompt: {value}",
  best: "best",
  restarts: "restarts",
  axis: "{steps} steps",
  reading: "Estimate at a step",
  "accuracy reading": "Accuracy at a step",
  point: "step {step}: {value}",
  "find prompt": "Find prompt (PEZ)",
  "copy the prompt": "Copy the prompt",
  "make encode": "Make CLIP Text Encode from this prompt",
  "start from": "Use as start words",
  "save preset": "Save settings as preset",
  "preset name": "Name of the preset:",
  "use preset": "Use preset",
  "delete preset": "Delete preset",
  "for CLIP": "For generators with CLIP",
  "for language models": "For generators with a language model",
  history: "Found prompts",
  insert: "Insert",
  remove: "Remove",
  "no history": "Prompts that were found appear here.",
  saved: "row {row} in {file}",
  "saved rows": "rows {first} to {last} in {file}",
  "saved prompts": "Saved prompts",
  "nothing saved": "Nothing saved yet",
  report: "Report",
  "no report": "The report appears here. Click into it, then Ctrl+A and Ctrl+C copy all of it.",
};

let translations = {};

// Call before the first panel is made. Where the server has no translations the panel speaks English.
export async function loadWords() {
  try {
    translations = await (await api.fetchApi("/i18n")).json();
  } catch (error) {
    console.warn("PEZ: the panel stays in English, as /i18n cannot be read.", error);
  }
}

const own = () => {
  const locale = String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  return [locale, locale.split("-")[0]].map((name) => translations[name]?.pez).find(Boolean); // "zh-TW" reads "zh"
};

// The words for `key` in the language of the page. values: what fills placeholders such as {step}.
export function say(key, values = {}) {
  const said = own()?.panel?.[key] ?? ENGLISH[key] ?? key;
  return said.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

// A choice of a widget in the language of the page; as it is, where it is a name or has no translation.
export function sayValue(value) {
  return own()?.values?.[value] ?? value;
}

export function isTranslated(value) {
  return Object.values(translations).some((each) => each.pez?.values && value in each.pez.values);
}
