// Numbers as a person reads them.

import { say } from "./words.js";

// Seconds as "45 s", "3 min", "2 h 9 min". Above a minute the seconds would only flicker.
export function duration(seconds) {
  if (seconds < 60) return say("seconds", { seconds: seconds < 10 ? seconds.toFixed(1) : Math.round(seconds) });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return say("minutes", { minutes });
  return say("hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

// What is left, as whole seconds.
export function remaining(seconds) {
  return seconds < 60 ? say("seconds", { seconds: Math.ceil(seconds) }) : duration(seconds);
}

// With that many digits, and without a sign before zero.
export const fixed = (value, digits) => (Number(value.toFixed(digits)) || 0).toFixed(digits);

const percent = (value, digits) => `${(100 * value).toFixed(digits)}\u00a0%`;

export const isAccuracy = (measure) => measure === "accuracy";

// An exact score; measure: "similarity", or "accuracy" of a prompt that classifies.
export function score(value, measure) {
  if (typeof value !== "number") return "";
  return isAccuracy(measure) ? percent(value, 1) : value.toFixed(4);
}

// A search's own estimate. digits: after the point, of a similarity.
export const estimate = (value, measure, digits = 2) =>
  isAccuracy(measure) ? percent(value, digits - 2) : value.toFixed(digits);

export const megabytes = (bytes) => Math.round(bytes / 1e6);
