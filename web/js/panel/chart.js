// Similarity by step as SVG: the best in front, each restart faint behind it.

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

// best: [[step, similarity], ...]; restarts: a list of such lists.
export function drawChart(svg, best, restarts = []) {
  const all = [best, ...restarts].flat();
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.style.display = best.length > 1 ? "" : "none";
  if (best.length < 2) return;
  const values = all.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const last = Math.max(...all.map(([step]) => step));
  for (const each of restarts) if (each.length > 1) svg.append(line(each, low, high, last, "pez-restart"));
  svg.append(line(best, low, high, last, "pez-best"));
  const [first, end] = [best[0][1], best[best.length - 1][1]];
  svg.setAttribute("aria-label", `Best similarity by step: from ${first.toFixed(2)} to ${end.toFixed(2)}`);
}
