// A slider over the candidates of a readable search, from the closest to the most readable one.

import { made } from "./elements.js";
import { say } from "./words.js";

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
    const read = candidates.map(({ nll, text }, i) => ({ nll, text, number: i + 1 })).filter(({ nll }) => nll !== undefined);
    read.sort((a, b) => b.nll - a.nll);
    this.numbers = read.map(({ number }) => number);
    this.element.hidden = read.length < 2;
    if (this.element.hidden) return;
    const place = Math.max(0, this.numbers.indexOf(marked));
    Object.assign(this.slider, { max: String(read.length - 1), value: String(place) });
    this.slider.setAttribute("aria-valuetext", read[place].text);
  }
}
