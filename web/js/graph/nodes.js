// Nodes by the names that ComfyUI gives them, and what lies around a node.

const FOUND = ["PEZ_RESULT", "PEZ_CLASSIFIER"]; // what only nodes that search return
const SUBGRAPH_INPUT = -10; // the id that a link from outside a sub-graph has as its origin
const PRIMITIVE = /^Primitive/; // nodes that are nothing but a value

// Whether a node with outputs of these types searches.
export const isSearching = (types) => FOUND.some((each) => types?.includes(each));

// The names of the outputs of a node that are one text each, and no list.
export function namesOfTexts(node) {
  const lists = node.constructor.nodeData?.output_is_list ?? [];
  const texts = (node.outputs ?? []).filter(({ type }, slot) => type === "STRING" && !lists[slot]);
  return texts.map(({ label, localized_name, name }) => label || localized_name || name);
}

// A running node is named by its path: the ids of the sub-graph nodes around it, then its own.
export function nodeByPath(graph, path) {
  return nodesOnPath(graph, path).at(-1);
}

// The nodes on a path, the outermost first; shorter where the path leads nowhere.
export function nodesOnPath(graph, path) {
  const found = [];
  for (const id of String(path).split(":")) {
    const node = graph?.getNodeById(id);
    if (!node) return [];
    found.push(node);
    graph = node.subgraph;
  }
  return found;
}

// Outputs are named "node" in the workflow itself and "sub-graph:node" inside a sub-graph.
export function nodeByLocator(graph, locator) {
  const [first, second] = String(locator).split(":");
  return second === undefined ? graph.getNodeById(first) : graph.subgraphs?.get(first)?.getNodeById(second);
}

// Every node with its path: [path, node], those in sub-graphs after the node that holds them.
export function* nodesWithPaths(graph, before = "") {
  for (const node of graph.nodes ?? []) {
    yield [`${before}${node.id}`, node];
    if (node.subgraph) yield* nodesWithPaths(node.subgraph, `${before}${node.id}:`);
  }
}

// Where the node is: several places, if it lies in a sub-graph that is used several times.
export function pathsOf(graph, node) {
  return [...nodesWithPaths(graph)].filter(([, each]) => each === node).map(([path]) => path);
}

const linkOf = (node, slot) => node.graph?.getLink?.(node.inputs?.[slot]?.link) ?? null;

// The input that brings in what an input takes from outside the sub-graphs around it: [node, slot], its own where nothing does.
// around: the nodes of these sub-graphs, where one is used several times; else the first of each counts.
function outside(root, node, slot, around) {
  if (Number(linkOf(node, slot)?.origin_id) !== SUBGRAPH_INPUT) return [node, slot];
  const every = [...around, ...[...nodesWithPaths(root)].map(([, each]) => each)];
  const outer = every.find((each) => each.subgraph === node.graph);
  return outer ? outside(root, outer, linkOf(node, slot).origin_slot, around) : [node, slot];
}

// The node and output that an input takes its value from, across the borders of sub-graphs: [node, slot], or null.
export function originOf(root, node, slot, around = []) {
  const [outer, at] = outside(root, node, slot, around);
  const link = linkOf(outer, at);
  return link && Number(link.origin_id) !== SUBGRAPH_INPUT ? [outer.graph.getNodeById(link.origin_id), link.origin_slot] : null;
}

// The widget whose value a node takes under this name: its own, the one that a sub-graph around it shows instead, or that
// of a primitive. None where another node makes the value.
export function widgetOf(root, node, name, around = []) {
  const own = node.widgets?.find((each) => each.name === name);
  const slot = node.inputs?.findIndex((each) => each.widget?.name === name) ?? -1;
  if (!linkOf(node, slot)) return own;
  const origin = originOf(root, node, slot, around)?.[0];
  if (origin) return PRIMITIVE.test(origin.type) ? widgetOf(root, origin, "value", around) : undefined;
  const [outer, at] = outside(root, node, slot, around);
  return outer === node ? own : outer.getWidgetFromSlot?.(outer.inputs[at]);
}
