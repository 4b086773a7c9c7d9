// Small makers of elements. Text is always set as text.

export function made(tag, className = "", attributes = {}, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

export function button(className, text, act) {
  const element = made("button", `pez-button ${className}`, { type: "button" }, text);
  element.addEventListener("click", act);
  element.addEventListener("pointerdown", (event) => {
    if (event.button === 0) event.stopPropagation(); // no drag of the node
  });
  return element;
}

// Shows or hides an element. Where it had the focus, `next` gets it, so that a keyboard never falls out of the panel.
export function show(element, shown, next) {
  const focused = !shown && element.contains(document.activeElement);
  element.hidden = !shown;
  if (focused) next?.focus({ preventScroll: true });
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // the browser gives pages over plain HTTP from another machine no clipboard
    const area = made("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

// A button that copies `text()`, says so for a moment, and keeps its width.
export function copyButton(className, label, done, text) {
  const element = button(className, label, async () => {
    await copyText(text());
    element.style.minWidth = `${element.offsetWidth}px`;
    element.textContent = done;
    setTimeout(() => (element.textContent = label), 1500);
  });
  return element;
}
