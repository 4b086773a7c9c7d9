// Which workflow a run is of: ComfyUI hands what a node finds to the node with the same id in whatever workflow is shown.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

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
    workflows.delete(running);
    running = undefined;
  });
}

// Whether what a node has just found is of the workflow that is shown, as far as this page knows.
export function isOfShown() {
  const workflow = workflows.get(running);
  return !workflow || !app.rootGraph?.id || workflow === app.rootGraph.id;
}
