// What people hear who do not see the page: the start and the end at once, progress at most every ten seconds.

import { made } from "./elements.js";

const PAUSE = 10_000; // milliseconds

export class Announcer {
  constructor() {
    this.element = made("div", "pez-hidden", { "aria-live": "polite", role: "status" });
    this.said = 0;
  }

  say(text) {
    this.said = Date.now();
    this.element.textContent = text;
  }

  sayNowAndThen(text) {
    if (Date.now() - this.said >= PAUSE) this.say(text);
  }
}
