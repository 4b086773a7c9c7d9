// A slider over the candidates of a readable search, from the closest to the most readable one: each step matches less and
// reads better. Candidates that do neither better than another one are not on it.

import { made } from "./elements.js";
import { say } from "./words.js";

// price: what a search counts against the similarity, nats per word weighted by length.
function front(candidates) {
  const best = (each) => !candidates.some((other) => other !== each && isBetter(other, each));
  return candidates.filter(best).sort((a, b) => b.similarity - a.similarity);
}

// Two that are equal in both count once, by their numbers.
function isBetter(one, other) {
  if (one.similarity < other.similarity || one.price > other.price) return false;
  return one.similarity > other.similarity || one.price < other.price || one.number < other.number;
}

export class Dial {
  // choose(number): a candidate is chosen.
  constructor(choose) {
    this.choose = choose;
    this.slider = made("input", "pez-slider", { type: "range", min: "0", step: "1", "aria-label": say("readability") });
    this.slider.addEventListener("input", () => this.choose(this.numbers[Number(this.slider.value)]));
    this.slider.addEventListener("pointerdown", (event) => {
      if (event.button === 0) event.stopPropagation(); // no drag of the node
    });
    const [closest, readable] = ["closest", "most readable"].map((words) => made("span", "pez-end", {}, say(words)));
    this.element = made("div", "pez-dial pez-detail", {}, closest, this.slider, readable);
  }

  // marked: the number of the chosen one, from 1.
  draw(candidates, marked) {
    const read = front(candidates.map((each, i) => ({ ...each, number: i + 1 })).filter(({ price }) => price !== undefined));
    this.numbers = read.map(({ number }) => number);
    this.element.hidden = read.length < 2;
    if (this.element.hidden) return;
    const { similarity } = candidates[marked - 1] ?? read[0];
    const place = Math.max(0, read.findLastIndex((each) => each.similarity >= similarity));
    Object.assign(this.slider, { max: String(read.length - 1), value: String(place) });
    this.slider.setAttribute("aria-valuetext", read[place].text);
  }
}
