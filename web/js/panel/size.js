// A panel is as high as what it shows. The node grows and shrinks with it; in a saved workflow the node has the height that
// it has with an empty panel, so that a run does not change the workflow.

const EMPTY = 57; // height of a panel that shows nothing yet, in pixels
const MOST = 640; // a higher panel scrolls
const BORDERS = 2;
const MARGIN = 4;

const heights = new WeakMap(); // node -> what its panel needs

// The options of the panel's widget.
export function sizeOptions(node) {
  return { margin: MARGIN, getMinHeight: () => (heights.get(node) ?? EMPTY) + 2 * MARGIN };
}

// Call once the panel is a widget of the node. added: the panel came to a node that has been there: it is no edit either.
export function follow(node, panel, added = false) {
  heights.set(node, EMPTY);
  let grown = 0; // by how much the node is higher than with an empty panel; with `added`, than without one
  const { onSerialize, onConfigure } = node;
  node.onSerialize = function (data) {
    onSerialize?.apply(this, arguments);
    if (data.size) data.size = [data.size[0], (waiting || first ? stable.height : data.size[1]) - grown];
  };
  node.onConfigure = function () {
    onConfigure?.apply(this, arguments);
    stable.height = this.size[1];
  };
  const spare = () => panel.element.offsetHeight - heights.get(node); // a person may have made the node higher
  const stable = { spare: null, height: node.size[1] }; // when nothing was moving
  let waiting = false;
  let first = added; // until it has been laid out
  if (added) grow(node, Math.max(node.computeSize()[1] - node.size[1], 0));
  const settle = () => Object.assign(stable, { spare: spare(), height: node.size[1] });
  const needed = () => Math.min(Math.ceil(panel.content.offsetHeight) + BORDERS, MOST);
  const makeRoom = () =>
    afterLayout(() => {
      heights.set(node, needed());
      if (stable.spare !== null) grow(node, stable.spare - spare());
      afterLayout(() => {
        if (needed() !== heights.get(node)) return makeRoom();
        waiting = false;
        grown += node.size[1] - stable.height;
        settle();
      });
    });
  const observer = new ResizeObserver(() => {
    if (!panel.content.offsetHeight || waiting) return;
    node.setDirtyCanvas?.(true, true); // a new node has its height only now
    const change = needed() - heights.get(node);
    if (first) grown += node.size[1] - stable.height;
    if (first) stable.height = node.size[1];
    first = false;
    if (change === 0) return settle();
    if (globalThis.LiteGraph.vueNodesMode) {
      waiting = true; // "Nodes 2.0" makes room by itself, but takes none away; not every version tells the node
      return makeRoom();
    }
    heights.set(node, needed());
    grown += change;
    grow(node, change);
  });
  observer.observe(panel.content);
  observer.observe(panel.element);
}

function grow(node, by) {
  if (Math.abs(by) < 1) return;
  node.setSize([node.size[0], node.size[1] + by]);
  node.setDirtyCanvas?.(true, true);
}

const afterLayout = (act) => requestAnimationFrame(() => requestAnimationFrame(act));
