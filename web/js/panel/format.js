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

export const score = (value) => (typeof value === "number" ? value.toFixed(4) : "");

export const megabytes = (bytes) => Math.round(bytes / 1e6);
