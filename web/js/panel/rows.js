// Several prompts, one for each picture: a row each, with its picture, its score, its candidates and a button that copies it.

import { Candidates } from "./candidates.js";
import { copyButton, made } from "./elements.js";
import { score } from "./format.js";
import { drawPrompt } from "./prompt.js";
import { say } from "./words.js";

// prompts: [{ text, delivered, similarity, tokens, candidates, thumbnail }, ...]
export function drawRows(element, prompts) {
  element.replaceChildren(...prompts.map(row));
}

function row({ text, delivered, similarity, tokens, candidates, thumbnail }, i) {
  const words = made("span", "pez-text");
  drawPrompt(words, text, tokens ?? []);
  const line = made("div", "pez-prompt", {}, words, " ", made("span", "pez-similarity", {}, score(similarity)));
  const copy = copyButton("pez-copy", say("copy"), say("copied"), () => delivered);
  copy.setAttribute("aria-label", say("copy prompt", { number: i + 1 }));
  const body = made("div", "pez-body", {}, line);
  if (candidates?.length > 1) {
    const list = new Candidates(null);
    list.draw(candidates, 1);
    body.append(list.element);
  }
  return made("li", "pez-row", {}, ...picture(thumbnail, i + 1), body, copy);
}

export function picture(thumbnail, number) {
  return thumbnail ? [made("img", "pez-picture", { src: thumbnail, alt: say("picture alone", { number }) })] : [];
}
