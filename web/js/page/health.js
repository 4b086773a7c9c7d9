// What keeps the pack from working, in one line with the cure: a missing requirement, a ComfyUI that is too old.

import { api } from "../../../../scripts/api.js";
import { app } from "../../../../scripts/app.js";

app.registerExtension({
  name: "pez.Health",
  async setup() {
    const answer = await api.fetchApi("/pez/health").catch(() => null);
    if (answer?.status !== 200) return;
    const { problems } = await answer.json();
    for (const detail of problems ?? []) app.extensionManager.toast.add({ severity: "warn", summary: "PEZ", detail });
  },
});
