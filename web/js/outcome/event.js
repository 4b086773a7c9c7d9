// What the server says about a node.

import { app } from "../../../../scripts/app.js";
import { VERSION } from "./check.js";

// Whether an event is about the workflow that is shown: another tab of the page may have a node with the same id.
export function isShown({ version, workflow }) {
  return version === VERSION && (!workflow || !app.rootGraph?.id || workflow === app.rootGraph.id);
}
