// The panel's words: English here, every other language in `pez.panel` of locales/<language>/main.json.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

const ENGLISH = {
  panel: "Prompt search",
  prompt: "Best prompt and its similarity",
  idle: "The prompt appears here.",
  stop: "Stop and keep the best",
  copy: "Copy",
  copied: "Copied",
  candidates: "Other candidates",
  picture: "picture {number} of {count}",
  step: "step {step} of {steps}",
  left: "{seconds} s left",
  done: "{steps} steps in {seconds} s ({why})",
  steps: "all steps done",
  patience: "no more gain",
  "time limit": "time limit reached",
  "asked to": "stopped by you",
  prompts: "{count} prompts",
  contribution: "contributes {value}",
  estimate: "Search's estimate by step: {first} to {last}",
  picked: "Candidate {number} will be used from the next run.",
  over: "This search has already ended.",
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

// The words for `key` in the language of the page; "zh-TW" reads "zh". values: what fills placeholders such as {step}.
export function say(key, values = {}) {
  const locale = String(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
  const words = [locale, locale.split("-")[0]].map((name) => translations[name]?.pez?.panel).find(Boolean);
  const said = words?.[key] ?? ENGLISH[key] ?? key;
  return said.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
