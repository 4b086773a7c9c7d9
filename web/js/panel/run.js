// A running search as the panel shows it: what it does, and the lines of the chart.

export class Run {
  // detail: what the server says about the node (pez.state, pez.progress).
  constructor() {
    Object.assign(this, { id: null, state: "loading", part: 0, parts: 1, model: "", done: 0, total: 0, stopping: false });
    Object.assign(this, { measure: "similarity", step: 0, steps: 0, left: null, seed: null, prompts: [], warnings: [], thumbnails: [] });
    this.clearLines();
  }

  clearLines() {
    this.best = [];
    this.restarts = new Map();
  }

  changeState(detail) {
    const { state, model, part, parts, done, total, run } = detail;
    if (part !== this.part) this.startPart();
    Object.assign(this, { state, part, parts, done, total, model: model || this.model, id: run ?? this.id });
    this.warnings = [...new Set([...this.warnings, ...(detail.warnings ?? [])])];
    if (detail.thumbnail) this.thumbnails[part] = detail.thumbnail;
  }

  advance(detail) {
    const { run, part, parts, step, steps, left, seed, prompt, delivered, measure } = detail;
    if (part !== this.part) this.startPart();
    Object.assign(this, { state: "searching", id: run, measure, part, parts, step, steps, left, seed });
    const before = this.prompts[part];
    // the exact score comes seldom; until then the search's own estimate stands for it
    const similarity = detail.similarity ?? (before?.text === prompt ? before.similarity : null);
    this.prompts[part] = { text: prompt, delivered, similarity, estimate: detail.best, tokens: [] };
    for (const [row, value] of Object.entries(detail.restarts)) {
      if (!this.restarts.has(row)) this.restarts.set(row, []);
      this.restarts.get(row).push([step, value]);
    }
    const best = Math.max(this.best.at(-1)?.[1] ?? -Infinity, detail.best ?? -Infinity, ...Object.values(detail.restarts));
    if (Number.isFinite(best)) this.best.push([step, best]);
  }

  startPart() {
    this.clearLines();
    this.stopping = false;
  }
}
