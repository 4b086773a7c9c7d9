// The panel's colors. Its ground is that of ComfyUI's own widgets; all others are made from it and the palette, so that
// text keeps a contrast of at least 4.5 and lines of at least 3 in every palette, a person's own ones included.

const TEXT = 7;
const SOFT = 5;
const LINE = 3.2;
const panels = new Set();

const canvas = document.createElement("canvas");
canvas.width = canvas.height = 1;
const context = canvas.getContext("2d", { willReadFrequently: true });

// Any CSS color over a ground, as [red, green, blue].
function painted(color, ground = [0, 0, 0]) {
  for (const layer of [`rgb(${ground})`, color]) {
    context.fillStyle = layer;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}

function luminance(color) {
  const [red, green, blue] = color.map((value) => {
    const part = value / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a, b) {
  const [light, dark] = [luminance(a), luminance(b)].sort((one, other) => other - one);
  return (light + 0.05) / (dark + 0.05);
}

// The color, moved towards black or white until it stands out from the ground by `least`.
function readable(color, ground, least) {
  const [black, white] = [[0, 0, 0], [255, 255, 255]];
  const end = contrast(white, ground) >= contrast(black, ground) ? white : black;
  for (let share = 0; share < 1; share += 0.05) {
    const mixed = color.map((value, i) => Math.round(value + (end[i] - value) * share));
    if (contrast(mixed, ground) >= least) return mixed;
  }
  return end;
}

const mix = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));

function tune(element) {
  if (!element.isConnected) return;
  const style = getComputedStyle(element);
  const own = (name, other) => style.getPropertyValue(name).trim() || other;
  const under = painted(own("--comfy-input-bg", "#222"));
  const inVue = element.closest(".lg-node-widget") !== null;
  const ground = inVue ? painted(own("--component-node-widget-background", "transparent"), under) : under;
  const text = readable(painted(own("--input-text", "#ddd"), ground), ground, TEXT);
  const accent = readable(painted(own("--p-primary-color", "#60a5fa"), ground), ground, LINE);
  const colors = {
    ground,
    text,
    accent,
    soft: readable(mix(text, ground, 0.35), ground, SOFT),
    line: readable(mix(text, ground, 0.6), ground, LINE),
  };
  for (const [name, value] of Object.entries(colors)) element.style.setProperty(`--pez-${name}`, `rgb(${value})`);
}

let waiting = false;
function tuneAll() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const reference of panels) {
      const element = reference.deref();
      if (element) tune(element);
      else panels.delete(reference);
    }
  });
}

// Keeps a panel's colors in step with the palette. A palette is set as styles and classes of the page.
const observer = new MutationObserver(tuneAll);
for (const target of [document.documentElement, document.body])
  observer.observe(target, { attributes: true, attributeFilter: ["style", "class"] });

export function keepReadable(element) {
  panels.add(new WeakRef(element));
  new ResizeObserver(() => tune(element)).observe(element); // also when it is first shown
}
