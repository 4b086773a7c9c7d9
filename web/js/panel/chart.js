// The search's own estimate by step, as SVG: the best in front, each restart fainter.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 64;
const EDGE = 3;

function line(points, low, high, last, name) {
  const drawn = document.createElementNS(SVG, "polyline");
  const x = (step) => EDGE + (step / Math.max(last, 1)) * (WIDTH - 2 * EDGE);
  const y = (value) => HEIGHT - EDGE - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * EDGE);
  drawn.setAttribute("points", points.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  drawn.setAttribute("class", name);
  return drawn;
}

// best: [[step, estimate], ...]; restarts: a list of such lists. Fewer than two points draw nothing.
export function drawChart(svg, best, restarts = []) {
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  if (best.length < 2) return;
  const all = [best, ...restarts].flat();
  const values = all.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const last = Math.max(...all.map(([step]) => step));
  for (const each of restarts) if (each.length > 1) svg.append(line(each, low, high, last, "pez-restart"));
  svg.append(line(best, low, high, last, "pez-best"));
}
