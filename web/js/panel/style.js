// How a panel looks. Colors: colors.js.

const CSS = `
.pez-panel { box-sizing: border-box; overflow: auto; min-height: 0; border-radius: 6px; scrollbar-width: thin; scrollbar-color: var(--pez-line) transparent;
  font: 12px/1.45 var(--font-inter, Inter, sans-serif); color: var(--pez-text, #ddd); background: var(--pez-ground, #222);
  border: 1px solid var(--pez-line, #888); }
.pez-panel [hidden] { display: none !important; }
.pez-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; user-select: none; }
.pez-content { position: relative; display: flex; flex-direction: column; gap: 5px; padding: 5px 6px 6px; }
.pez-head { display: flex; gap: 5px; align-items: center; min-height: 22px; }
.pez-state { flex: 1; min-width: 0; font-size: 11px; color: var(--pez-soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.pez-button { font: inherit; font-size: 11px; color: inherit; background: transparent; cursor: pointer; padding: 1px 7px; border-radius: 4px;
  border: 1px solid var(--pez-line); flex: none; }
.pez-button:hover { border-color: var(--pez-text); }
.pez-button:disabled { color: var(--pez-soft); border-style: dashed; cursor: default; }
.pez-button:focus-visible, .pez-prompts:focus-visible, .pez-summary:focus-visible, .pez-slider:focus-visible, .pez-reader:focus-visible, .pez-report:focus-visible { outline: 2px solid var(--pez-accent); outline-offset: 1px; }
.pez-fold { border-color: transparent; padding: 1px 3px; width: 20px; }
.pez-bar { appearance: none; width: 100%; height: 5px; border: 1px solid var(--pez-line); border-radius: 3px; background: transparent; }
.pez-bar::-webkit-progress-bar { background: transparent; }
.pez-bar::-webkit-progress-value, .pez-bar::-moz-progress-bar { background: var(--pez-accent); border-radius: 2px; }
.pez-warning { margin: 0; padding-left: 7px; font-size: 11px; border-left: 3px solid var(--pez-accent); }
.pez-error { white-space: pre-wrap; user-select: text; overflow-wrap: anywhere; }
.pez-report { display: block; width: 100%; height: 100%; box-sizing: border-box; margin: 0; padding: 5px 6px; resize: none; border: 0; border-radius: 6px;
  font: 11px/1.45 ui-monospace, monospace; white-space: pre; color: inherit; background: transparent; user-select: text; }
.pez-found { display: flex; gap: 7px; align-items: flex-start; }
.pez-prompts { flex: 1; min-width: 0; user-select: text; border-radius: 3px; }
.pez-idle { color: var(--pez-soft); font-style: italic; }
.pez-prompt { overflow-wrap: anywhere; }
.pez-text { white-space: pre-wrap; line-height: 1.7; }
.pez-list .pez-text { line-height: 1.4; }
.pez-token { border-bottom: var(--pez-bar, 0px) solid var(--pez-accent); padding-bottom: calc(4px - var(--pez-bar, 0px)); }
.pez-plain .pez-token { border-bottom-width: 0; }
.pez-best-only .pez-candidates { display: none; }
.pez-similarity, .pez-which, .pez-name { font-variant-numeric: tabular-nums; font-size: 11px; color: var(--pez-soft); }
.pez-which { display: block; margin-top: 2px; }
.pez-name { display: block; }
.pez-picture { width: 48px; height: 48px; object-fit: cover; border-radius: 4px; flex: none; }
.pez-rows { margin: 0; padding: 0; list-style: none; display: flex; flex-direction: column; gap: 6px; }
.pez-row { display: flex; gap: 7px; align-items: flex-start; }
.pez-body { flex: 1; min-width: 0; }
.pez-chart { display: grid; grid-template: auto 1fr auto auto / auto 1fr auto; column-gap: 4px; font-size: 10px; line-height: 1.2;
  color: var(--pez-soft); font-variant-numeric: tabular-nums; }
.pez-high { grid-area: 1 / 1; text-align: right; }
.pez-low { grid-area: 3 / 1; text-align: right; }
.pez-lines { grid-area: 1 / 2 / 4 / 4; width: 100%; height: 60px; border: solid var(--pez-line); border-width: 0 0 1px 1px; box-sizing: border-box; }
.pez-reader { grid-area: 1 / 2 / 4 / 4; cursor: crosshair; border-radius: 3px; }
.pez-from { grid-area: 4 / 2; }
.pez-legend, .pez-reading { grid-area: 4 / 2; text-align: center; }
.pez-reading { color: var(--pez-text); }
.pez-to { grid-area: 4 / 3; text-align: right; }
.pez-lines polyline { fill: none; vector-effect: non-scaling-stroke; }
.pez-best { stroke: var(--pez-accent); stroke-width: 2; }
.pez-restart { stroke: var(--pez-line); stroke-width: 1; stroke-dasharray: 3 2; }
.pez-cursor { stroke: var(--pez-text); stroke-width: 1; }
.pez-key { margin: 0 5px; }
.pez-key::before { content: ""; display: inline-block; width: 14px; margin-right: 4px; vertical-align: middle; border-top: 2px solid var(--pez-accent); }
.pez-key-restart::before { border-top: 1px dashed var(--pez-line); }
.pez-dial { display: flex; gap: 6px; align-items: center; font-size: 11px; color: var(--pez-soft); }
.pez-slider { flex: 1; min-width: 0; height: 14px; margin: 0; accent-color: var(--pez-accent); cursor: pointer; }
.pez-summary { cursor: pointer; font-size: 11px; border-radius: 3px; }
.pez-list { margin: 3px 0 0; padding: 0; list-style: none; display: flex; flex-direction: column; gap: 2px; }
.pez-list li { display: flex; gap: 4px; align-items: flex-start; }
.pez-choice { flex: 1; min-width: 0; display: flex; gap: 6px; text-align: left; align-items: baseline; }
.pez-choice { border-width: 2px; }
.pez-choice .pez-text { flex: 1; min-width: 0; overflow-wrap: anywhere; }
.pez-number { font-variant-numeric: tabular-nums; color: var(--pez-soft); min-width: 1.4em; text-align: right; }
.pez-choice[aria-pressed="true"] { border-color: var(--pez-accent); }
.pez-choice[aria-pressed="true"] .pez-number::before { content: "\\2713"; margin-right: 2px; }
.pez-title { margin: 0; font-size: 13px; }
.pez-sidebar { min-height: 100vh; border: 0; border-radius: 0; }
.pez-folded .pez-detail { display: none; }
.pez-folded .pez-prompts { white-space: nowrap; overflow: hidden; }
.pez-folded .pez-prompt { overflow: hidden; text-overflow: ellipsis; }
.pez-folded .pez-text { white-space: nowrap; }
`;

export function addStyle() {
  if (document.getElementById("pez-panel-style")) return;
  const style = document.createElement("style");
  style.id = "pez-panel-style";
  style.textContent = CSS;
  document.head.append(style);
}
