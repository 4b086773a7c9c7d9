// The one line that says what a node does, or what it did.

import { duration, megabytes, remaining } from "./format.js";
import { say } from "./words.js";

export function runStatus(run) {
  const { state, model, part, parts, done, total, step, steps, left } = run;
  if (run.stopping) return say("stopping");
  if (state === "loading") return say("loading", { model });
  if (state === "downloading") {
    const [mine, all] = [megabytes(done), megabytes(total)];
    return total ? say("downloading", { model, done: mine, total: all }) : say("downloading some", { model, done: mine });
  }
  if (state === "preparing" || !steps) return say("preparing");
  const said = [say("step", { step, steps })];
  if (parts > 1) said.unshift(say("part", { number: part + 1, count: parts }));
  if (typeof left === "number") said.push(say("left", { time: remaining(left) }));
  return said.join(" · ");
}

export function outcomeStatus(outcomes) {
  const [first] = outcomes;
  if (outcomes.length > 1) {
    const seconds = outcomes.reduce((sum, each) => sum + each.seconds, 0);
    return [say("prompts", { count: outcomes.length }), duration(seconds), say("seed", { seed: first.seed })].join(" · ");
  }
  const { steps, seconds, stopped, seed } = first;
  return [say("steps done", { steps }), duration(seconds), say(stopped), say("seed", { seed })].join(" · ");
}
