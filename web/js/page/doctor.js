// PEZ Doctor shows its report, line by line as it comes.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";
import { addShown } from "../graph/dom_widget.js";
import { nodeByLocator, nodeByPath } from "../graph/nodes.js";
import { isShown } from "../outcome/event.js";
import { takes } from "../outcome/runs.js";
import { keepReadable } from "../panel/colors.js";
import { made } from "../panel/elements.js";
import { addStyle } from "../panel/style.js";
import { letThrough } from "../panel/wheel.js";
import { say } from "../panel/words.js";

const SIZE = [560, 420]; // of a new node
const HEIGHT = 120; // of the report at least
const reports = new WeakMap(); // node -> its text area

function show(node, text) {
  const area = reports.get(node);
  if (area && typeof text === "string") area.value = text;
}

api.addEventListener("pez.report", ({ detail }) => {
  if (isShown(detail)) show(nodeByPath(app.rootGraph, detail.node), detail.text);
});

app.registerExtension({
  name: "pez.Doctor",
  nodeCreated(node) {
    if (node.comfyClass !== "PEZDoctor") return;
    addStyle();
    const words = { "aria-label": say("report"), placeholder: say("no report"), spellcheck: "false", readonly: "" };
    const area = made("textarea", "pez-report", words); // there Ctrl+C copies text, elsewhere nodes
    const panel = made("div", "pez-panel", {}, area);
    keepReadable(panel);
    letThrough(area);
    addShown(node, "pez_report", say("report"), panel, { margin: 4, getMinHeight: () => HEIGHT });
    reports.set(node, area);
    const { onExecuted } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      if (takes(this)) show(this, output?.text?.[0]);
    };
    node.setSize(SIZE.map((least, i) => Math.max(least, node.size[i])));
  },
  onNodeOutputsUpdated(outputs) { // where the page has them from earlier
    for (const [locator, output] of Object.entries(outputs)) {
      const node = nodeByLocator(app.rootGraph, locator);
      if (node) show(node, output?.text?.[0]);
    }
  },
});
