// PEZ Save Prompts says which row went where.

import { app } from "../../../../scripts/app.js";
import { addShown } from "../graph/dom_widget.js";
import { takes } from "../outcome/runs.js";
import { keepReadable } from "../panel/colors.js";
import { made } from "../panel/elements.js";
import { say } from "../panel/words.js";

const HEIGHT = 34;
const lines = new WeakMap(); // node -> its line

function show(node, output) {
  const rows = output?.pez_saved;
  if (!Array.isArray(rows) || !rows.length || !lines.has(node)) return;
  const [{ file, row: first }, last] = [rows[0], rows.at(-1).row];
  lines.get(node).textContent = rows.length > 1 ? say("saved rows", { file, first, last }) : say("saved", { file, row: first });
}

app.registerExtension({
  name: "pez.Saved",
  nodeCreated(node) {
    if (node.comfyClass !== "PEZSavePrompts") return;
    const line = made("div", "pez-saved", { role: "status" }, say("nothing saved"));
    const panel = made("div", "pez-panel", {}, made("div", "pez-content", {}, line));
    keepReadable(panel);
    addShown(node, "pez_saved", say("saved prompts"), panel, { margin: 4, getMinHeight: () => HEIGHT });
    lines.set(node, line);
    const { onExecuted } = node;
    node.onExecuted = function (output) {
      onExecuted?.apply(this, arguments);
      if (takes(this)) show(this, output);
    };
  },
});
