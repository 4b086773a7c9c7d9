// Colors are ComfyUI's own, so that they follow its theme.

const CSS = `
.pez-panel { display: flex; flex-direction: column; gap: 4px; box-sizing: border-box; padding: 6px; overflow: auto;
  font: 12px/1.45 var(--font-inter, Inter, sans-serif); color: var(--input-text, #ddd); background: var(--comfy-input-bg, #222);
  border: 1px solid var(--border-color, #4e4e4e); border-radius: 6px; min-height: 0; }
.pez-panel [hidden] { display: none; }
.pez-head { display: flex; gap: 6px; align-items: flex-start; flex: none; min-height: 24px; }
.pez-state { flex: 1; font-size: 11px; opacity: 0.85; }
.pez-empty .pez-prompts { opacity: 0.75; font-style: italic; }
.pez-prompt { margin: 0 0 3px; user-select: text; }
.pez-prompts:focus-visible, .pez-button:focus-visible, .pez-candidates summary:focus-visible {
  outline: 2px solid var(--p-primary-color, #60a5fa); outline-offset: 1px; }
.pez-text { white-space: pre-wrap; }
.pez-token { border-radius: 3px; box-decoration-break: clone;
  background: color-mix(in srgb, var(--p-primary-color, #3b82f6) var(--pez-share, 0%), transparent); }
.pez-similarity { font-variant-numeric: tabular-nums; font-size: 11px; opacity: 0.85; margin-left: 4px; }
.pez-chart { flex: 0 0 64px; width: 100%; height: 64px; }
.pez-caption { flex: none; font-size: 11px; opacity: 0.85; font-variant-numeric: tabular-nums; }
.pez-chart polyline { fill: none; vector-effect: non-scaling-stroke; }
.pez-best { stroke: var(--p-primary-color, #60a5fa); stroke-width: 2; }
.pez-restart { stroke: currentColor; stroke-width: 1; opacity: 0.25; }
.pez-buttons { display: flex; gap: 6px; flex: none; }
.pez-button { font: inherit; color: inherit; text-align: left; cursor: pointer; padding: 2px 8px; border-radius: 4px;
  background: var(--comfy-menu-bg, #353535); border: 1px solid var(--border-color, #4e4e4e); }
.pez-button:hover { border-color: currentColor; }
.pez-button:disabled { opacity: 0.5; cursor: default; }
.pez-list { margin: 4px 0 0; padding-left: 22px; }
.pez-list .pez-button { width: 100%; margin-bottom: 2px; white-space: pre-wrap; }
.pez-list [aria-pressed="true"] { border-color: var(--p-primary-color, #60a5fa); border-width: 2px; }
`;

export function addStyle() {
  if (document.getElementById("pez-panel-style")) return;
  const style = document.createElement("style");
  style.id = "pez-panel-style";
  style.textContent = CSS;
  document.head.append(style);
}
