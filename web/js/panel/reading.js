// A reading of the chart: the step and the estimate under the pointer, or where the arrow keys lead.

import { made, setText } from "./elements.js";
import { estimate, isAccuracy } from "./format.js";
import { say } from "./words.js";

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class Reading {
  // changed(): what is read is another point, or none.
  constructor(changed) {
    this.changed = changed;
    this.points = []; // [[step, estimate], ...]
    this.at = null; // which of them is read
    this.text = made("span", "pez-reading", { "aria-hidden": "true" }); // the slider says the same
    this.element = made("div", "pez-reader", { role: "slider", tabindex: "0" });
    const { element } = this;
    element.addEventListener("pointermove", (event) => this.read(this.nearest(event)));
    element.addEventListener("pointerleave", () => this.read(null));
    element.addEventListener("focus", () => this.read(this.at ?? this.points.length - 1));
    element.addEventListener("blur", () => this.read(null));
    element.addEventListener("keydown", (event) => this.press(event));
    element.addEventListener("pointerdown", (event) => {
      if (event.button === 0) event.stopPropagation(); // no drag of the node
    });
  }

  get point() {
    return this.at === null ? null : this.points[Math.min(this.at, this.points.length - 1)];
  }

  // points: those of the line that is read; last: the step at the right edge; measure: what they are estimates of.
  draw(points, last, measure) {
    Object.assign(this, { points, last, measure });
    this.show();
  }

  nearest({ clientX }) {
    const { left, width } = this.element.getBoundingClientRect(); // as it is on the screen, whatever the zoom
    const step = ((clientX - left) / width) * this.last;
    const away = this.points.map(([each]) => Math.abs(each - step));
    return away.indexOf(Math.min(...away));
  }

  press(event) {
    const end = this.points.length - 1;
    const at = this.at ?? end;
    const to = { Home: 0, End: end }[event.key] ?? at + (STEPS[event.key] ?? NaN);
    if (Number.isNaN(to)) return;
    event.preventDefault();
    event.stopPropagation(); // the page moves nodes with these keys
    this.read(Math.min(Math.max(to, 0), end));
  }

  read(at) {
    if (at === this.at) return;
    this.at = at;
    this.show();
    this.changed();
  }

  show() {
    const [step, value] = this.point ?? this.points.at(-1) ?? [0, 0];
    const words = say("point", { step, value: estimate(value, this.measure, 3) });
    const label = say(isAccuracy(this.measure) ? "accuracy reading" : "reading");
    const range = { "aria-label": label, "aria-valuemin": 0, "aria-valuemax": this.last, "aria-valuenow": step, "aria-valuetext": words };
    for (const [name, value] of Object.entries(range)) this.element.setAttribute(name, String(value));
    setText(this.text, words);
    this.text.hidden = this.at === null;
  }
}
