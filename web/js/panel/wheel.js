// In the classic renderer a panel covers the canvas: the wheel and the middle button go through to it, except where there is
// something to scroll. In "Nodes 2.0" the page does this by itself.

import { app } from "../../../../scripts/app.js";

const MIDDLE = 1;
const MIDDLE_HELD = 4; // in `buttons`

const isVue = (element) => element.closest(".lg-node-widget") !== null;

function scrolls(element, event) {
  if (event.ctrlKey || !event.deltaY) return false;
  const room = element.scrollHeight - element.clientHeight;
  return event.deltaY > 0 ? element.scrollTop < room - 1 : element.scrollTop > 0 && room > 0;
}

export function letThrough(element) {
  element.addEventListener(
    "wheel",
    (event) => {
      if (scrolls(element, event)) return event.stopPropagation();
      if (isVue(element)) return;
      event.preventDefault();
      event.stopPropagation();
      app.canvas.processMouseWheel(event);
    },
    { passive: false },
  );
  const forward = (name, method, isMiddle) =>
    element.addEventListener(name, (event) => {
      if (isMiddle(event) && !isVue(element)) app.canvas[method](event);
    });
  forward("pointerdown", "processMouseDown", (event) => event.button === MIDDLE);
  forward("pointermove", "processMouseMove", (event) => (event.buttons & MIDDLE_HELD) !== 0);
  forward("pointerup", "processMouseUp", (event) => event.button === MIDDLE);
}
