// The choices of the pack's widgets in the language of the page. Workflows and runs have the English ones.

import { app } from "../../../../scripts/app.js";
import { isTranslated, sayValue } from "../panel/words.js";

app.registerExtension({
  name: "pez.Values",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData.name.startsWith("PEZ")) return;
    const { addWidget } = nodeType.prototype;
    // a choice that depends on another one is added later than the node
    nodeType.prototype.addWidget = function (type, name, value, callback, options) {
      const translated = type === "combo" && Array.isArray(options?.values) && options.values.some(isTranslated);
      const given = translated ? { ...options, getOptionLabel: sayValue } : options;
      return addWidget.call(this, type, name, value, callback, given);
    };
  },
});
