// A node's results are a property of it, so they are saved, opened and copied with the workflow. The page saves its draft
// only after an edit, so a reload right after a run would lose them: the session keeps a copy.

const PROPERTY = "pez_found";

const key = (node) => `pez:${node.graph?.id}:${node.id}`;

export function keep(node, found) {
  node.properties[PROPERTY] = found;
  try {
    sessionStorage.setItem(key(node), JSON.stringify(found));
  } catch {
    // full, or not allowed: the property remains
  }
}

export function kept(node) {
  if (node.properties[PROPERTY]) return node.properties[PROPERTY];
  try {
    return JSON.parse(sessionStorage.getItem(key(node)));
  } catch {
    return null;
  }
}
