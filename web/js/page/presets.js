// Settings of a node under a name: those for kinds of generators, and those that a person has saved in the user's folder.

import { app } from "../../../../scripts/app.js";
import { asOneStep } from "../graph/make.js";
import { set, settingsOf } from "../outcome/pick.js";
import { say } from "../panel/words.js";
import { UserFile } from "./user_file.js";

const OWN = /^PEZ/;
const SEED = "seed"; // belongs to a run
const GENERATORS = { "for CLIP": { readability: 0.2 }, "for language models": { readability: 0.5 } };

const file = new UserFile("presets");
let presets = []; // { name, node, values }

const isPreset = (each) =>
  typeof each?.name === "string" && typeof each.node === "string" && typeof each.values === "object" && each.values !== null;

async function reload() {
  presets = (await file.read()).filter(isPreset);
}

const saved = (node) => settingsOf(node).filter(([name]) => name !== SEED);

async function save(node) {
  const name = (await app.extensionManager.dialog.prompt({ title: say("save preset"), message: say("preset name") }))?.trim();
  if (!name) return;
  const values = Object.fromEntries(saved(node));
  const preset = { name, node: node.type, values };
  const others = (each) => !(each.name === name && each.node === node.type);
  await file.change((entries) => [...entries.filter(others), preset]);
  await reload();
}

// The widgets of a choice appear with it, so the values are set in their order.
function apply(node, preset) {
  asOneStep(() => {
    for (const [name, value] of Object.entries(preset.values)) set(node, name, value);
  });
}

async function remove(preset) {
  await file.change((entries) => entries.filter((each) => !(each.name === preset.name && each.node === preset.node)));
  await reload();
}

// The presets that come with the pack, for nodes with the widgets that they set.
function given(node) {
  const names = saved(node).map(([name]) => name);
  return Object.entries(GENERATORS)
    .filter(([, values]) => Object.keys(values).every((name) => names.includes(name)))
    .map(([name, values]) => ({ name: say(name), node: node.type, values }));
}

// The part of a node's menu that saves, applies and deletes presets.
export function presetItems(node) {
  if (!OWN.test(node.type) || !saved(node).length) return [];
  const mine = presets.filter((each) => each.node === node.type);
  const submenu = (options) => ({ has_submenu: true, submenu: { options } });
  const named = (some, act) => submenu(some.map((each) => ({ content: each.name, callback: () => act(each) })));
  const items = [{ content: say("save preset"), callback: () => save(node) }];
  const usable = [...given(node), ...mine];
  if (usable.length) items.push({ content: say("use preset"), ...named(usable, (preset) => apply(node, preset)) });
  if (mine.length) items.push({ content: say("delete preset"), ...named(mine, remove) });
  return items;
}

app.registerExtension({ name: "pez.Presets", setup: reload });
