// What is on a node: a line of state, the prompt, the chart, buttons, the candidates.

import { drawChart } from "./chart.js";
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
    // pages over plain HTTP from another machine have no clipboard
    const area = made("textarea", "");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

export class Panel {
  // actions.stop(run): asks the server to end a search; actions.pick(number): delivers another candidate.
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
    this.buttons = made("div", "pez-buttons");
    this.stopButton = button(say("stop"), () => this.stop());
    this.copyButton = button(say("copy"), () => this.copy());
    this.buttons.append(this.stopButton, this.copyButton);
    this.candidates = made("details", "pez-candidates");
    const head = made("div", "pez-head"); // above what grows: a button must not move away under the pointer
    head.append(this.state, this.buttons);
    this.element.append(head, this.prompts, this.chart, this.candidates);
    this.element.addEventListener("wheel", (event) => event.stopPropagation()); // scrolls here, no zoom of the graph
    this.showFound(null);
  }

  // detail: an event of the server while it searches.
  showRun(detail) {
    if (this.run !== detail.run || this.part !== detail.part) {
      this.best = [];
      this.restarts.clear();
      this.stopButton.disabled = false;
    }
    Object.assign(this, { run: detail.run, part: detail.part, delivered: [detail.delivered] });
    const parts = detail.parts > 1 ? `${say("picture")} ${detail.part + 1}/${detail.parts} · ` : "";
    const left = detail.left === null ? "" : ` · ${say("left", Math.ceil(detail.left))}`;
    this.state.textContent = `${parts}${say("step", detail.step, detail.steps)}${left}`;
    this.showPrompt([{ text: detail.prompt, similarity: detail.similarity }]);
    this.best.push([detail.step, detail.similarity]);
    for (const [row, value] of Object.entries(detail.restarts)) {
      if (!this.restarts.has(row)) this.restarts.set(row, []);
      this.restarts.get(row).push([detail.step, value]);
    }
    drawChart(this.chart, this.best, [...this.restarts.values()]);
    this.element.classList.remove("pez-empty");
    this.stopButton.hidden = false;
    this.copyButton.hidden = false;
    this.candidates.hidden = true;
  }

  // found: what the node gave, one entry for each prompt; picked: the number of the candidate that is to be delivered.
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
      drawChart(this.chart, []);
      return;
    }
    this.delivered = found.map((each) => each.delivered);
    const [first] = found;
    this.state.textContent =
      found.length > 1 ? say("prompts", found.length) : say("done", first.steps, first.seconds.toFixed(1), say("why", first.stopped));
    this.showPrompt(found);
    const trace = first.trace.map(([step, value]) => [step, value]);
    drawChart(this.chart, found.length > 1 ? [] : trace, runHere && found.length === 1 ? [...this.restarts.values()] : []);
    this.showCandidates(found, picked);
  }

  // Tokens on the stronger a ground the more they are worth.
  showPrompt(found) {
    this.prompts.replaceChildren();
    for (const { text, similarity, tokens } of found) {
      const row = made("p", "pez-prompt");
      const most = Math.max(...(tokens ?? []).map((token) => token.importance), 0);
      for (const token of tokens ?? [{ text, importance: 0 }]) {
        const word = made("span", "pez-token");
        word.textContent = token.text;
        if (tokens) {
          const share = most > 0 ? Math.max(token.importance, 0) / most : 0;
          word.style.setProperty("--pez-worth", `${Math.round(share * 45)}%`);
          word.title = say("worth", token.importance.toFixed(3));
        }
        row.append(word, " ");
      }
      const score = made("span", "pez-similarity");
      score.textContent = similarity.toFixed(4);
      row.append(score);
      this.prompts.append(row);
    }
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
          this.state.textContent = say("picked", i + 1);
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
