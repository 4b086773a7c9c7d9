// A prompt as its text, with a bar under each token: the longer and thicker, the more the token contributes.

import { made } from "./elements.js";
import { fixed } from "./format.js";
import { say } from "./words.js";

const THICKEST = 4; // pixels

// Cuts a text at its tokens' spans: [{ text, contribution }], without a contribution between the tokens.
// Spans count characters as Python does; a JavaScript string counts an emoji as two.
function pieces(text, tokens) {
  const characters = Array.from(text);
  const cut = (from, to, contribution) => ({ text: characters.slice(from, to).join(""), contribution });
  const found = [];
  let at = 0;
  for (const { start, end, contribution } of tokens) {
    found.push(cut(at, start), cut(Math.max(at, start), end, contribution));
    at = Math.max(at, end);
  }
  return [...found, cut(at)].filter((piece) => piece.text);
}

// tokens: [] for a text whose contributions are not known.
export function drawPrompt(element, text, tokens) {
  const cut = pieces(text, tokens);
  const most = Math.max(...cut.map((piece) => piece.contribution ?? 0), 0);
  element.replaceChildren(
    ...cut.map(({ text, contribution }) => {
      if (contribution === undefined) return document.createTextNode(text);
      const token = made("span", "pez-token", { title: say("contribution", { value: fixed(contribution, 3) }) }, text);
      const share = most > 0 ? Math.max(contribution, 0) / most : 0;
      token.style.setProperty("--pez-bar", `${(share * THICKEST).toFixed(1)}px`);
      return token;
    }),
  );
}

// The same for people who hear the page: "blue 0.200, bird 0.100".
export function spokenContributions(tokens) {
  if (!tokens.length) return "";
  const words = tokens.map(({ text, contribution }) => `${text} ${fixed(contribution, 2)}`).join(", ");
  return say("contributions", { words });
}

// Of several texts of a person's own, the one that the search began with.
export function beganWith(outcome) {
  return outcome?.began_with ? made("span", "pez-which pez-began", {}, say("began with", { text: outcome.began_with })) : "";
}
