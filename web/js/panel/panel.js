// What a node shows: a status line with buttons, warnings, the prompt or prompts, the chart, the candidates.

import { shownParts } from "../page/settings.js";
import { Announcer } from "./announce.js";
import { Candidates } from "./candidates.js";
import { Chart } from "./chart.js";
import { Dial } from "./dial.js";
import { keepReadable } from "./colors.js";
import { button, copyButton, made, setText, show } from "./elements.js";
import { estimate, isAccuracy, score } from "./format.js";
import { beganWith, drawPrompt, spokenContributions } from "./prompt.js";
import { picture, Rows } from "./rows.js";
import { Run } from "./run.js";
import { outcomeStatus, runStatus } from "./status.js";
import { addStyle } from "./style.js";
import { letThrough } from "./wheel.js";
import { say } from "./words.js";

export class Panel {
  // actions: stop(run, part), stopAll(run): end a search early; pick(number): another candidate becomes the prompt;
  // keepsSeed(outcome), useSeed(outcome): the node's seed; repeats(outcome): whether the next run picks from it; fold(folded): the panel was folded; names(): of the node's prompts.
  constructor(actions) {
    this.actions = actions;
    this.run = null; // the running search
    this.outcomes = null; // what the last run found
    this.ending = null; // { state: "cancelled" | "error", message }: how the last run ended without an outcome
    this.marked = 1; // the chosen candidate
    addStyle();
    this.build();
    this.draw();
  }

  build() {
    this.foldButton = button("pez-fold", "▾", () => this.actions.fold(!this.element.classList.contains("pez-folded")));
    this.state = made("div", "pez-state");
    this.seedButton = button("pez-seed", say("use seed"), () => this.actions.useSeed(this.outcomes[0]));
    this.stopButton = button("pez-stop", say("stop"), () => this.stop(() => this.actions.stop(this.run.id, this.run.part)));
    this.stopAllButton = button("pez-stop-all", say("stop all"), () => this.stop(() => this.actions.stopAll(this.run.id)));
    this.copyButton = copyButton("pez-copy", say("copy"), say("copied"), () => this.delivered());
    const buttons = [this.seedButton, this.stopButton, this.stopAllButton, this.copyButton];
    const head = made("div", "pez-head", {}, this.foldButton, this.state, ...buttons);
    this.bar = made("progress", "pez-bar");
    this.warnings = made("div", "pez-warnings pez-detail");
    this.prompts = made("div", "pez-prompts", { role: "group", tabindex: "0" });
    this.found = made("div", "pez-found", {}, this.prompts);
    this.chart = new Chart();
    this.chart.element.classList.add("pez-detail");
    this.candidates = new Candidates((number) => this.actions.pick(number));
    this.dial = new Dial((number) => this.actions.pick(number));
    this.rows = new Rows((number) => this.actions.pick(number));
    this.candidates.element.classList.add("pez-detail");
    this.announcer = new Announcer();
    const parts = [head, this.bar, this.warnings, this.found, this.dial.element, this.chart.element, this.candidates.element];
    this.content = made("div", "pez-content", {}, ...parts, this.announcer.element);
    this.element = made("div", "pez-panel", { role: "group", "aria-label": say("panel") }, this.content);
    letThrough(this.element);
    keepReadable(this.element);
  }

  // The prompt as CLIP Text Encode takes it; several, one on each line.
  delivered() {
    return this.shownPrompts()
      .map((each) => each.delivered)
      .join("\n");
  }

  // detail: what the server says that a node does (pez.state).
  showState(detail) {
    const { state } = detail;
    if (state === "done") return;
    if (state === "cancelled" || state === "error") return this.end(state, detail.message);
    this.begin(detail.run);
    this.run.changeState(detail);
    this.draw();
  }

  // detail: how far a search is (pez.progress).
  showProgress(detail) {
    this.begin(detail.run);
    this.run.advance(detail);
    this.announcer.sayNowAndThen(runStatus(this.run));
    this.draw();
  }

  begin(id) {
    if (this.run && (!this.run.id || !id || this.run.id === id)) return;
    this.run = new Run();
    this.outcomes = this.ending = null;
    this.announcer.say(say("started"));
  }

  // The search was ended from outside, if one is running here.
  end(state, message = "") {
    if (this.run) this.close(state, message);
  }

  // The node said what is wrong, perhaps before it began to search.
  fail(message) {
    if (this.ending?.message !== message) this.close("error", message);
  }

  close(state, message) {
    this.run = this.outcomes = null;
    this.ending = { state, message };
    this.announcer.say([say(state), message].filter(Boolean).join(" "));
    this.draw();
  }

  // outcomes: one for each prompt, or null; marked: the number of the candidate that the node delivers next.
  showOutcomes(outcomes, marked = 1) {
    const ran = this.run !== null;
    const lines = ran && outcomes?.length === 1 ? [...this.run.restarts.values()] : [];
    if (lines.length) this.restarts = { id: outcomes[0].id, lines };
    Object.assign(this, { run: null, ending: null, outcomes, marked });
    if (ran && outcomes) this.announcer.say(say("ended", { prompt: this.shownPrompts().map((each) => each.text).join("; ") }));
    this.draw();
  }

  // The prompts on the panel: those of the running search, or those that were found, the marked candidate among them.
  shownPrompts() {
    if (this.run) return this.run.prompts.filter(Boolean);
    if (!this.outcomes) return [];
    return this.outcomes.map((outcome) => {
      const marked = Math.min(this.marked, outcome.candidates.length);
      if (marked === outcome.candidate || !outcome.candidates.length) return outcome;
      return { ...outcome.candidates[marked - 1], tokens: [], thumbnail: outcome.thumbnail };
    });
  }

  // What the scores are: "similarity" or "accuracy".
  get measure() {
    return (this.run ?? this.outcomes?.[0])?.measure ?? "similarity";
  }

  draw() {
    this.drawHead();
    this.drawWarnings();
    this.drawPrompts();
    const parts = shownParts();
    const single = this.outcomes?.length === 1 ? this.outcomes[0] : null;
    if (this.run) this.chart.draw(this.run.best, [...this.run.restarts.values()], this.run.steps, this.measure);
    else this.chart.draw(single?.trace ?? [], this.linesOf(single), single?.most ?? 0, this.measure);
    if (!parts.chart) this.chart.element.hidden = true;
    this.candidates.draw(this.run ? [] : single?.candidates ?? [], this.marked, this.measure);
    this.dial.draw(this.run ? [] : single?.candidates ?? [], this.marked);
    this.element.classList.toggle("pez-best-only", !parts.candidates);
    this.element.classList.toggle("pez-plain", !parts.contributions);
  }

  // Those of the restarts, as long as the page has seen them: a known result comes without a search.
  linesOf(outcome) {
    return outcome && this.restarts?.id === outcome.id ? this.restarts.lines : [];
  }

  drawHead() {
    const { run, outcomes, ending } = this;
    const said = run ? runStatus(run) : ending ? say(ending.state) : outcomes ? outcomeStatus(outcomes) : say("ready");
    setText(this.state, said);
    this.state.title = said;
    const single = !run || run.parts === 1;
    const label = say(single ? "stop best" : "stop part");
    this.stopButton.setAttribute("aria-label", label);
    this.stopButton.title = label;
    this.stopButton.disabled = this.stopAllButton.disabled = Boolean(run?.stopping);
    const stoppable = Boolean(run?.id);
    show(this.copyButton, this.shownPrompts().length > 0, this.foldButton);
    show(this.stopButton, stoppable, this.copyButton.hidden ? this.foldButton : this.copyButton);
    show(this.stopAllButton, stoppable && !single, this.copyButton.hidden ? this.foldButton : this.copyButton);
    show(this.seedButton, Boolean(outcomes && !this.actions.keepsSeed(outcomes[0])), this.copyButton);
    this.bar.hidden = run?.state !== "downloading";
    if (run?.total) Object.assign(this.bar, { max: run.total, value: run.done });
    else this.bar.removeAttribute("value");
    const folded = this.element.classList.contains("pez-folded");
    setText(this.foldButton, folded ? "▸" : "▾");
    this.foldButton.setAttribute("aria-expanded", String(!folded));
    this.foldButton.setAttribute("aria-label", say("details"));
  }

  drawWarnings() {
    const warnings = this.run?.warnings ?? [...new Set((this.outcomes ?? []).flatMap((each) => each.warnings))];
    this.warnings.replaceChildren(...warnings.map((each) => made("p", "pez-warning", {}, each)));
    this.warnings.hidden = !warnings.length;
  }

  drawPrompts() {
    this.prompts.setAttribute("aria-label", say(isAccuracy(this.measure) ? "prompt accuracy" : "prompt"));
    const prompts = this.shownPrompts();
    const repeats = Boolean(this.outcomes) && this.actions.repeats(this.outcomes[0]);
    const { drawn, outcomes, marked } = this;
    if (outcomes && outcomes === drawn?.outcomes && marked === drawn.marked && repeats === drawn.repeats) return; // keeps the focus
    this.drawn = { outcomes, marked, repeats };
    const several = (this.run?.parts ?? this.outcomes?.length ?? 1) > 1;
    const thumbnails = this.run?.thumbnails ?? [];
    for (const old of this.found.querySelectorAll(":scope > .pez-picture")) old.remove();
    if (several && prompts.length) {
      const outcomes = this.run ? null : this.outcomes;
      const names = this.actions.names();
      const named = names.length === (this.run?.parts ?? this.outcomes.length);
      const shown = prompts.map((each, i) => ({ thumbnail: thumbnails[i], name: named ? names[i] : "", ...each }));
      this.rows.draw(shown, outcomes, this.marked, this.whichOfEach(outcomes ?? []));
      if (this.rows.element.parentNode !== this.prompts) this.prompts.replaceChildren(this.rows.element);
      return;
    }
    this.found.prepend(...picture(thumbnails[this.run?.part] ?? this.outcomes?.[0]?.thumbnail, 1));
    this.prompts.replaceChildren(prompts.length ? this.prompt(prompts[0]) : this.instead());
  }

  prompt({ text, similarity, estimate: about, tokens }) {
    const { measure } = this;
    const words = made("span", "pez-text");
    drawPrompt(words, text, tokens);
    const exact = typeof similarity === "number";
    const known = exact ? score(similarity, measure) : say("about", { value: typeof about === "number" ? estimate(about, measure) : "…" });
    const shown = isAccuracy(measure) ? say("accurate", { value: known }) : known;
    const line = made("div", "pez-prompt", {}, words, " ", made("span", "pez-similarity", {}, shown));
    line.append(made("span", "pez-hidden", {}, spokenContributions(tokens)), this.without(), beganWith(this.outcomes?.[0]), this.which());
    return line;
  }

  // How often the model is right with no prompt, where that is known.
  without() {
    const value = this.outcomes?.[0].without;
    return value === undefined ? "" : made("span", "pez-which", {}, say("without", { value: score(value, this.measure) }));
  }

  // Which candidate this is, where there are several.
  which() {
    const [outcome] = this.outcomes ?? [];
    const count = outcome?.candidates.length ?? 0;
    if (count < 2) return "";
    const number = Math.min(this.marked, count);
    const words = number === outcome.candidate || !this.drawn.repeats ? "which" : "which next";
    return made("span", "pez-which", {}, say(words, { number, count }));
  }

  // The same for several prompts, which have one number for all of them.
  whichOfEach(outcomes) {
    if (!outcomes.some((each) => each.candidates.length > 1)) return "";
    const chosen = outcomes.every(({ candidate, candidates }) => Math.min(this.marked, candidates.length) === candidate);
    return say(chosen || !this.drawn.repeats ? "which of each" : "which of each next", { number: this.marked });
  }

  // What stands in the place of a prompt.
  instead() {
    const message = this.ending?.message;
    if (message) return made("div", "pez-error", {}, message);
    return made("div", "pez-idle", {}, this.run || this.ending ? "" : say("idle"));
  }

  async stop(ask) {
    this.run.stopping = true;
    this.draw();
    const answer = await ask();
    if (answer.status === 404 && this.run) setText(this.state, say("over"));
  }

  fold(folded) {
    this.element.classList.toggle("pez-folded", folded);
    this.draw();
  }
}
