// What a node shows: a status line, buttons, the prompt, the chart, the candidates.

import { drawChart } from "./chart.js";
import { drawPrompt } from "./prompt.js";
import { addStyle } from "./style.js";
import { say } from "./words.js";

function made(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function button(text, act) {
  const element = made("button", "pez-button", { type: "button" });
  element.textContent = text;
  element.addEventListener("click", act);
  element.addEventListener("pointerdown", (event) => event.stopPropagation()); // no drag of the node
  return element;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // the browser gives pages over plain HTTP from another machine no clipboard
    const area = made("textarea", "");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export class Panel {
  // actions.stop(run): asks the server to end a search; actions.pick(number): makes another candidate the prompt.
  constructor(actions) {
    this.actions = actions;
    this.run = null;
    this.best = [];
    this.restarts = new Map();
    addStyle();
    this.element = made("div", "pez-panel", { role: "group", "aria-label": say("panel") });
    this.state = made("div", "pez-state", { "aria-live": "polite" });
    this.prompts = made("div", "pez-prompts", { "aria-label": say("prompt"), tabindex: "0" });
    this.chart = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.chart.setAttribute("role", "img");
    this.chart.setAttribute("preserveAspectRatio", "none");
    this.chart.setAttribute("class", "pez-chart");
    this.caption = made("div", "pez-caption", { "aria-hidden": "true" }); // the chart's own label says the same
    this.buttons = made("div", "pez-buttons");
    this.stopButton = button(say("stop"), () => this.stop());
    this.copyButton = button(say("copy"), () => this.copy());
    this.buttons.append(this.stopButton, this.copyButton);
    this.candidates = made("details", "pez-candidates");
    const head = made("div", "pez-head"); // above everything that grows, so that no button moves under the pointer
    head.append(this.state, this.buttons);
    this.element.append(head, this.prompts, this.chart, this.caption, this.candidates);
    this.element.addEventListener("wheel", (event) => event.stopPropagation()); // scrolls the panel, does not zoom the graph
    this.showFound(null);
  }

  // detail: what the server reports while it searches.
  showRun(detail) {
    if (this.run !== detail.run || this.part !== detail.part) {
      this.best = [];
      this.restarts.clear();
      this.stopButton.disabled = false;
    }
    Object.assign(this, { run: detail.run, part: detail.part, delivered: [detail.delivered] });
    const said = [say("step", { step: detail.step, steps: detail.steps })];
    if (detail.parts > 1) said.unshift(say("picture", { number: detail.part + 1, count: detail.parts }));
    if (detail.left !== null) said.push(say("left", { seconds: Math.ceil(detail.left) }));
    this.state.textContent = said.join(" · ");
    this.showPrompt([{ text: detail.prompt, similarity: detail.similarity }]);
    for (const [row, value] of Object.entries(detail.restarts)) {
      if (!this.restarts.has(row)) this.restarts.set(row, []);
      this.restarts.get(row).push([detail.step, value]);
    }
    const before = this.best.at(-1)?.[1] ?? -Infinity; // restarts that were given up are no longer reported
    const best = Math.max(before, ...Object.values(detail.restarts));
    if (Number.isFinite(best)) this.best.push([detail.step, best]);
    this.showChart(this.best, [...this.restarts.values()]);
    this.element.classList.remove("pez-empty");
    this.stopButton.hidden = false;
    this.copyButton.hidden = false;
    this.candidates.hidden = true;
  }

  // found: the node's results, one for each prompt; picked: the number of the candidate that the next run returns.
  showFound(found, picked = 1) {
    const runHere = this.run;
    this.run = null;
    this.stopButton.hidden = true;
    this.copyButton.hidden = !found?.length;
    this.candidates.hidden = !found?.length;
    this.element.classList.toggle("pez-empty", !found?.length);
    if (!found?.length) {
      this.state.textContent = "";
      this.prompts.textContent = say("idle");
      this.showChart([]);
      return;
    }
    this.delivered = found.map((each) => each.delivered);
    const [first] = found;
    const values = { steps: first.steps, seconds: first.seconds.toFixed(1), why: say(first.stopped) };
    this.state.textContent = found.length > 1 ? say("prompts", { count: found.length }) : say("done", values);
    this.showPrompt(found);
    if (found.length > 1) this.showChart([]);
    else this.showChart(first.trace, runHere ? [...this.restarts.values()] : []);
    this.showCandidates(found, picked);
  }

  showPrompt(found) {
    this.prompts.replaceChildren();
    for (const { text, similarity, tokens } of found) {
      const row = made("p", "pez-prompt");
      const words = made("span", "pez-text");
      drawPrompt(words, text, tokens, (value) => say("contribution", { value: value.toFixed(3) }));
      const score = made("span", "pez-similarity");
      score.textContent = similarity.toFixed(4);
      row.append(words, " ", score);
      this.prompts.append(row);
    }
  }

  // The lines are the search's own numbers; the similarity beside the prompt is scored anew.
  showChart(best, restarts = []) {
    drawChart(this.chart, best, restarts);
    const [first, last] = [best[0]?.[1], best.at(-1)?.[1]];
    const label = best.length > 1 ? say("estimate", { first: first.toFixed(2), last: last.toFixed(2) }) : "";
    this.chart.setAttribute("aria-label", label);
    this.caption.textContent = label;
    this.chart.style.display = label ? "" : "none";
    this.caption.hidden = !label;
  }

  showCandidates(found, picked) {
    this.candidates.replaceChildren();
    const summary = made("summary", "");
    summary.textContent = say("candidates");
    const list = made("ol", "pez-list");
    if (found.length === 1) {
      found[0].candidates.forEach(({ text, similarity }, i) => {
        const item = made("li", "");
        const choice = button(`${similarity.toFixed(4)}  ${text}`, () => {
          this.actions.pick(i + 1);
          this.state.textContent = say("picked", { number: i + 1 });
          for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === choice));
        });
        choice.setAttribute("aria-pressed", String(i + 1 === picked));
        item.append(choice);
        list.append(item);
      });
    }
    this.candidates.hidden = found.length > 1 || found[0].candidates.length < 2;
    this.candidates.append(summary, list);
  }

  async stop() {
    this.stopButton.disabled = true;
    const answer = await this.actions.stop(this.run);
    if (answer.status === 404) this.state.textContent = say("over");
  }

  async copy() {
    await copied(this.delivered.join("\n"));
    this.copyButton.textContent = say("copied");
    setTimeout(() => (this.copyButton.textContent = say("copy")), 1500);
  }
}
