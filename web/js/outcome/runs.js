// Which workflow a run is of: ComfyUI hands what a node finds to the node with the same id in whatever workflow is shown, and
// keeps it there.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";
import { nodeByLocator } from "../graph/nodes.js";

const workflows = new Map(); // id of a run that was queued here -> id of its workflow
let running; // id of the run under way

const { queuePrompt } = api;
api.queuePrompt = async function (number, data) {
  const answer = await queuePrompt.apply(this, arguments);
  if (answer?.prompt_id) workflows.set(answer.prompt_id, data?.workflow?.id);
  return answer;
};

api.addEventListener("execution_start", ({ detail }) => {
  running = detail.prompt_id;
});

for (const end of ["execution_success", "execution_error", "execution_interrupted"]) {
  api.addEventListener(end, () => {
    const ended = running;
    running = undefined;
    setTimeout(() => workflows.delete(ended)); // others who listen may ask what it was of
  });
}

// Whether a run is of the workflow that is shown, as far as this page knows.
export function isOfShown(id) {
  const workflow = workflows.get(id);
  return !workflow || !app.rootGraph?.id || workflow === app.rootGraph.id;
}

// Whether a node may take what it has just been handed. If not, ComfyUI keeps it no longer.
export function takes(node) {
  if (isOfShown(running)) return true;
  for (const locator of Object.keys(app.nodeOutputs)) {
    if (nodeByLocator(app.rootGraph, locator) === node) delete app.nodeOutputs[locator];
  }
  return false;
}
