// The candidates of a search, best first: choose one, or copy it.

import { button, copyButton, made } from "./elements.js";
import { score } from "./format.js";
import { say } from "./words.js";

export class Candidates {
  // choose(number): a candidate is chosen.
  constructor(choose) {
    this.choose = choose;
    this.summary = made("summary", "pez-summary");
    this.list = made("ol", "pez-list");
    this.element = made("details", "pez-candidates", {}, this.summary, this.list);
    this.shown = null;
  }

  // marked: the number of the chosen one, from 1. measure: what the scores are.
  draw(candidates, marked, measure) {
    this.element.hidden = candidates.length < 2;
    if (candidates !== this.shown) {
      this.shown = candidates;
      this.summary.textContent = say("candidates", { count: candidates.length });
      this.list.replaceChildren(...candidates.map((each, i) => this.item(each, i + 1, measure)));
    }
    for (const [i, item] of [...this.list.children].entries()) {
      item.querySelector(".pez-choice").setAttribute("aria-pressed", String(i + 1 === marked));
    }
  }

  item({ text, similarity, delivered }, number, measure) {
    const choice = button("pez-choice", "", () => this.choose(number));
    choice.append(made("span", "pez-number", {}, `${number}`), made("span", "pez-text", {}, text));
    choice.append(made("span", "pez-similarity", {}, score(similarity, measure)));
    const copy = copyButton("pez-copy", say("copy"), say("copied"), () => delivered);
    copy.setAttribute("aria-label", say("copy candidate", { number }));
    return made("li", "", {}, choice, copy);
  }
}
