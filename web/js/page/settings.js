// The pack's page in ComfyUI's settings.

import { app } from "../../../../scripts/app.js";

const PARTS = { chart: "PEZ.Panel.Chart", candidates: "PEZ.Panel.Candidates", contributions: "PEZ.Panel.Contributions" };

// Which parts of a panel are shown: { chart, candidates, contributions }.
export function shownParts() {
  const value = (id) => app.extensionManager?.setting?.get(id) ?? true;
  return Object.fromEntries(Object.entries(PARTS).map(([part, id]) => [part, value(id)]));
}
