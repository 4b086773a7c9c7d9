// A prompt as its text, each token shaded by how much it contributes.

// Cuts a text at its tokens' spans: [{ text, contribution }], without a contribution between the tokens.
// Spans count characters as Python does; a JavaScript string counts an emoji as two. Older outcomes have no spans.
function pieces(text, tokens) {
  if (!tokens?.every((token) => Number.isInteger(token.start) && Number.isInteger(token.end))) return [{ text }];
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

// describe(contribution): what a token says when the pointer is on it.
export function drawPrompt(element, text, tokens, describe) {
  const cut = pieces(text, tokens);
  const most = Math.max(...cut.map((piece) => piece.contribution ?? 0), 0);
  element.replaceChildren(
    ...cut.map(({ text, contribution }) => {
      if (contribution === undefined) return document.createTextNode(text);
      const token = document.createElement("span");
      token.className = "pez-token";
      token.textContent = text;
      token.title = describe(contribution);
      const share = most > 0 ? Math.max(contribution, 0) / most : 0;
      token.style.setProperty("--pez-share", `${Math.round(share * 45)}%`);
      return token;
    }),
  );
}
