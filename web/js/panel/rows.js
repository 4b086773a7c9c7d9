// Several prompts: a row each, with its picture, its name, its score, its candidates and a button that copies it.

import { Candidates } from "./candidates.js";
import { copyButton, made, setText } from "./elements.js";
import { score } from "./format.js";
import { beganWith, drawPrompt } from "./prompt.js";
import { say } from "./words.js";

export class Rows {
  // choose(number): the candidates with this number are chosen, in every row: the node has one number for all of them.
  constructor(choose) {
    this.choose = choose;
    this.list = made("ol", "pez-rows");
    this.which = made("span", "pez-which");
    this.element = made("div", "", {}, this.list, this.which);
    this.rows = [];
  }

  // prompts: [{ text, delivered, similarity, tokens, thumbnail, name }, ...], one for each row. outcomes: those of a run, with the
  // candidates of each row, or null while it searches. which: what to say of the chosen number.
  draw(prompts, outcomes, marked, which) {
    while (this.rows.length > prompts.length) this.rows.pop().element.remove();
    while (this.rows.length < prompts.length) this.add(new Row(this.rows.length + 1, this.choose)); // others keep the focus
    this.rows.forEach((each, i) => each.draw(prompts[i], outcomes?.[i], marked));
    setText(this.which, which);
  }

  add(row) {
    this.rows.push(row);
    this.list.append(row.element);
  }
}

class Row {
  constructor(number, choose) {
    this.number = number;
    this.name = made("span", "pez-name");
    this.prompt = made("div", "pez-prompt");
    this.candidates = new Candidates(choose);
    this.copy = copyButton("pez-copy", say("copy"), say("copied"), () => this.delivered);
    this.copy.setAttribute("aria-label", say("copy prompt", { number }));
    const body = made("div", "pez-body", {}, this.name, this.prompt, this.candidates.element);
    this.element = made("li", "pez-row", {}, body, this.copy);
  }

  draw({ text, delivered, similarity, tokens, thumbnail, name }, outcome, marked) {
    this.delivered = delivered;
    setText(this.name, name);
    this.name.hidden = !name;
    const words = made("span", "pez-text");
    drawPrompt(words, text, tokens);
    this.prompt.replaceChildren(words, " ", made("span", "pez-similarity", {}, score(similarity, "similarity")), beganWith(outcome));
    this.element.querySelector(":scope > .pez-picture")?.remove();
    this.element.prepend(...picture(thumbnail, this.number));
    const candidates = outcome?.candidates ?? [];
    this.candidates.draw(candidates, Math.min(marked, candidates.length), "similarity");
  }
}

export function picture(thumbnail, number) {
  return thumbnail ? [made("img", "pez-picture", { src: thumbnail, alt: say("picture alone", { number }) })] : [];
}
