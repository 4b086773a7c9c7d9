// The search's own estimate by step: the best in front, each restart fainter, with numbers at the edges, a legend, and a
// reading of single points.

import { made, setText } from "./elements.js";
import { estimate, isAccuracy } from "./format.js";
import { Reading } from "./reading.js";
import { say } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 60;
const EDGE = 2;

export class Chart {
  constructor() {
    this.svg = document.createElementNS(SVG, "svg");
    for (const [name, value] of Object.entries({ role: "img", preserveAspectRatio: "none", class: "pez-lines" }))
      this.svg.setAttribute(name, value);
    this.svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    [this.high, this.low, this.from, this.to] = ["high", "low", "from", "to"].map((name) =>
      made("span", `pez-${name}`, { "aria-hidden": "true" }), // the chart's label says the same
    );
    this.restarts = made("span", "pez-key pez-key-restart", {}, say("restarts"));
    this.best = made("span", "pez-key pez-key-best");
    this.legend = made("span", "pez-legend", { "aria-hidden": "true" }, this.best, this.restarts);
    this.reading = new Reading(() => this.drawReading());
    const parts = [this.high, this.low, this.svg, this.reading.element, this.from, this.legend, this.reading.text, this.to];
    this.element = made("div", "pez-chart", {}, ...parts);
    this.draw([], [], 0, "similarity");
  }

  // best: [[step, estimate], ...]; restarts: a list of such lists; steps: all steps of the search, the chart's width.
  // measure: what the estimates are of. Fewer than two points draw nothing.
  draw(best, restarts, steps, measure) {
    this.element.hidden = best.length < 2;
    if (this.element.hidden) return;
    let [low, high, last] = [Infinity, -Infinity, steps];
    for (const [step, value] of [best, ...restarts].flat()) {
      low = Math.min(low, value);
      high = Math.max(high, value);
      last = Math.max(last, step); // in a loop: there may be more points than a call takes arguments
    }
    this.place = { low, high, last };
    this.svg.replaceChildren(
      ...restarts.filter((each) => each.length > 1).map((each) => line(each, this.place, "pez-restart")),
      line(best, this.place, "pez-best"),
    );
    this.restarts.hidden = !restarts.length;
    const [first, end, top, bottom] = [best[0][1], best.at(-1)[1], high, low].map((each) => estimate(each, measure));
    const accuracy = isAccuracy(measure);
    setText(this.best, say(accuracy ? "accuracy" : "best"));
    this.svg.setAttribute("aria-label", say(accuracy ? "accuracy by step" : "estimate", { first, last: end, steps: last }));
    setText(this.high, top);
    setText(this.low, bottom);
    setText(this.from, "0");
    setText(this.to, say("axis", { steps: last }));
    this.reading.draw(best, last, measure);
    this.drawReading();
  }

  // A line across the chart at the point that is read; its words are where the legend is otherwise.
  drawReading() {
    const { point } = this.reading;
    this.legend.hidden = point !== null;
    this.svg.querySelector(".pez-cursor")?.remove();
    if (!point) return;
    const x = across(point[0], this.place);
    this.svg.append(polyline([[x, 0], [x, HEIGHT]], "pez-cursor"));
  }
}

const across = (step, { last }) => EDGE + (step / Math.max(last, 1)) * (WIDTH - 2 * EDGE);

function line(points, place, name) {
  const { low, high } = place;
  const y = (value) => HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
  return polyline(points.map(([step, value]) => [across(step, place), y(value)]), name);
}

function polyline(points, name) {
  const drawn = document.createElementNS(SVG, "polyline");
  drawn.setAttribute("points", points.map((point) => point.map((each) => each.toFixed(1)).join(",")).join(" "));
  drawn.setAttribute("class", name);
  return drawn;
}
