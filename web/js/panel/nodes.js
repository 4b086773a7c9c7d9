// Nodes by the names that ComfyUI gives them in events.

// A running node is named by the path to it: the sub-graphs' nodes, then its own id.
export function nodeByPath(graph, path) {
  const ids = String(path).split(":");
  const last = ids.pop();
  return ids.reduce((within, id) => within?.getNodeById(id)?.subgraph, graph)?.getNodeById(last);
}

// Kept outputs are named by "node" in the workflow itself, by "sub-graph:node" inside one.
export function nodeByLocator(graph, locator) {
  const [first, second] = String(locator).split(":");
  return second === undefined ? graph.getNodeById(first) : graph.subgraphs?.get(first)?.getNodeById(second);
}
