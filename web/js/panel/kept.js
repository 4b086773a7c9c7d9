// An outcome lives in a property of its node: it is saved, opened and copied with the workflow. The page saves its draft
// only after a person did something, so a reload right after a run would lose it; hence the copy in the session.

const PROPERTY = "pez_found";

const key = (node) => `pez:${node.graph?.id}:${node.id}`;

export function keep(node, found) {
  node.properties[PROPERTY] = found;
  try {
    sessionStorage.setItem(key(node), JSON.stringify(found));
  } catch {
    // no room, or not allowed: the property remains
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
