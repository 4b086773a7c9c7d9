// An outcome comes from a run, or from a workflow that somebody else saved. Only the form below is shown; anything else is
// dropped as a whole, so that no workflow fails to open.

export const VERSION = 1;
const MEASURES = ["similarity", "accuracy"];
const THUMBNAIL = /^data:image\/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+$/; // nothing is fetched for a foreign workflow

const isText = (value) => typeof value === "string";
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const isIndex = (value) => Number.isInteger(value) && value >= 0;
const isList = (value, fits) => Array.isArray(value) && value.every(fits);
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

const isToken = (value) =>
  isObject(value) && isText(value.text) && isIndex(value.start) && isIndex(value.end) && isNumber(value.contribution);
const isCandidate = (value) =>
  isObject(value) &&
  isText(value.text) &&
  isText(value.delivered) &&
  isNumber(value.similarity) &&
  [value.nll, value.price].every((each) => each === undefined || isNumber(each));
const isPoint = (value) => Array.isArray(value) && value.length === 2 && value.every(isNumber);

function isOutcome(value) {
  return (
    isObject(value) &&
    value.version === VERSION &&
    [value.id, value.model, value.text, value.delivered, value.stopped].every(isText) &&
    [value.similarity, value.seconds, value.seed].every(isNumber) &&
    [value.candidate, value.steps, value.most].every(isIndex) &&
    isList(value.tokens, isToken) &&
    isList(value.candidates, isCandidate) &&
    isList(value.trace, isPoint) &&
    isList(value.warnings, isText) &&
    MEASURES.includes(value.measure ?? MEASURES[0]) && // older ones have none
    isNumber(value.without ?? 0) &&
    isText(value.began_with ?? "")
  );
}

// The outcomes of a node (one for each prompt), or null if they do not have this form.
export function checked(outcomes) {
  if (!isList(outcomes, isOutcome) || !outcomes.length) return null;
  return outcomes.map((each) => ({ ...each, thumbnail: thumbnail(each.thumbnail) }));
}

// A picture that may be shown, or null.
export function thumbnail(value) {
  return isText(value) && THUMBNAIL.test(value) ? value : null;
}
