// Nodes by the names that ComfyUI gives them in events.

// A running node is named by its path: the ids of the sub-graph nodes around it, then its own.
export function nodeByPath(graph, path) {
  const ids = String(path).split(":");
  const last = ids.pop();
  return ids.reduce((within, id) => within?.getNodeById(id)?.subgraph, graph)?.getNodeById(last);
}

// Outputs are named "node" in the workflow itself and "sub-graph:node" inside a sub-graph.
export function nodeByLocator(graph, locator) {
  const [first, second] = String(locator).split(":");
  return second === undefined ? graph.getNodeById(first) : graph.subgraphs?.get(first)?.getNodeById(second);
}
