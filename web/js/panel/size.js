// A panel is as high as what it shows. The node grows and shrinks with it; in a saved workflow the node has the height that
// it has with an empty panel, so that a run does not change the workflow.

const EMPTY = 62; // height of a panel that shows nothing yet, in pixels
const MOST = 560; // a higher panel scrolls
const MARGIN = 4;

const panels = new WeakMap(); // node -> its panel's height

// The options of the panel's widget.
export function sizeOptions(node) {
  return { margin: MARGIN, getMinHeight: () => (panels.get(node) ?? EMPTY) + 2 * MARGIN };
}

// Call once the panel is a widget of the node.
export function follow(node, panel) {
  panels.set(node, EMPTY);
  const { onSerialize } = node;
  node.onSerialize = function (data) {
    onSerialize?.apply(this, arguments);
    if (data.size) data.size = [data.size[0], data.size[1] - (panels.get(this) - EMPTY)];
  };
  new ResizeObserver(() => fit(node, panel)).observe(panel.content);
}

function fit(node, panel) {
  const wanted = Math.min(Math.ceil(panel.content.offsetHeight) + 2, MOST);
  const before = panels.get(node);
  if (!panel.content.offsetHeight || wanted === before) return;
  panels.set(node, wanted);
  node.setSize([node.size[0], node.size[1] + wanted - before]);
  node.setDirtyCanvas?.(true, true);
}
