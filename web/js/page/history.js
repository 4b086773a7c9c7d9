// The prompts found so far, kept in the user's folder, in a tab of the sidebar: picture, prompt, score, "insert".

import { app } from "../../../../scripts/app.js";
import { thumbnail } from "../outcome/check.js";
import { addAt, asOneStep, selectOnly, unwire } from "../graph/make.js";
import { set } from "../outcome/pick.js";
import { keepReadable } from "../panel/colors.js";
import { button, copyButton, made } from "../panel/elements.js";
import { isAccuracy, score } from "../panel/format.js";
import { picture } from "../panel/rows.js";
import { say } from "../panel/words.js";
import { UserFile } from "./user_file.js";

const MOST = 200;
const ENCODE = "CLIPTextEncode";

const file = new UserFile("history");
let list = null; // the element of the open tab

const isEntry = (each) =>
  [each?.id, each?.text, each?.delivered, each?.model].every((value) => typeof value === "string") &&
  typeof each.similarity === "number";
const key = (each) => `${each.id}:${each.text}`;

// Adds what a run found, newest first. The same prompt of the same search is listed once.
export async function record(outcomes) {
  const time = new Date().toISOString();
  const found = outcomes.map(({ id, text, delivered, similarity, measure, model, seed, thumbnail }) => {
    return { id, time, text, delivered, similarity, measure, model, seed, thumbnail };
  });
  const keys = new Set(found.map(key));
  await file.change((entries) => [...found, ...entries.filter((each) => !keys.has(key(each)))].slice(0, MOST));
  await draw();
}

async function remove(entry) {
  await file.change((entries) => entries.filter((each) => key(each) !== key(entry)));
  await draw();
}

// Into the selected CLIP Text Encode, else into a new one in the middle of the view.
function insert(entry) {
  asOneStep(() => {
    const { canvas } = app;
    const selected = Object.values(canvas.selected_nodes ?? {}).find((each) => each.type === ENCODE);
    const [x, y, width, height] = canvas.ds.visible_area;
    const node = selected ?? addAt(canvas.graph, ENCODE, () => [x + width / 2 - 150, y + height / 2 - 80]);
    unwire(node, "text");
    set(node, "text", entry.delivered);
    selectOnly(node);
  });
}

function row(entry) {
  const words = made("div", "pez-prompt", {}, made("span", "pez-text", {}, entry.text), " ");
  words.append(made("span", "pez-similarity", {}, score(entry.similarity, entry.measure)));
  const about = made("div", "pez-which", {}, [entry.model, say("seed", { seed: entry.seed })].join(" · "));
  const buttons = made("div", "pez-head");
  if (!isAccuracy(entry.measure)) buttons.append(button("pez-insert", say("insert"), () => insert(entry))); // no text for pictures
  buttons.append(copyButton("pez-copy", say("copy"), say("copied"), () => entry.delivered));
  buttons.append(button("pez-remove", say("remove"), () => remove(entry)));
  return made("li", "pez-row", {}, ...picture(thumbnail(entry.thumbnail), 1), made("div", "pez-body", {}, words, about, buttons));
}

async function draw() {
  if (!list) return;
  const entries = (await file.read()).filter(isEntry);
  list.replaceChildren(...entries.map(row));
  if (!entries.length) list.append(made("li", "pez-idle", {}, say("no history")));
}

app.registerExtension({
  name: "pez.History",
  setup() {
    app.extensionManager.registerSidebarTab({
      id: "pez-history",
      icon: "pi pi-history",
      title: say("history"),
      tooltip: say("history"),
      type: "custom",
      render(element) {
        list = made("ol", "pez-rows");
        const content = made("div", "pez-content", {}, made("h2", "pez-title", {}, say("history")), list);
        const panel = made("div", "pez-panel pez-sidebar", { role: "group", "aria-label": say("history") }, content);
        keepReadable(panel);
        element.replaceChildren(panel);
        draw();
      },
      destroy() {
        list = null;
      },
    });
  },
});
