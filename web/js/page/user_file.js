// A list in a JSON file of the user's folder on the server, so that it is the same in every browser.

import { api } from "../../../../scripts/api.js";

export class UserFile {
  constructor(name) {
    this.path = `pez/${name}.json`;
    this.last = Promise.resolve();
  }

  // The entries; [] where there are none yet, or where the file is damaged.
  async read() {
    const answer = await api.getUserData(this.path);
    if (answer.status !== 200) return [];
    const entries = await answer.json().catch(() => []);
    return Array.isArray(entries) ? entries : [];
  }

  // Replaces the entries by `change(entries)`. Changes follow one another, each on what the file has then.
  change(change) {
    this.last = this.last.then(async () => {
      const entries = change(await this.read());
      const options = { overwrite: true, stringify: true, throwOnError: true };
      await api.storeUserData(this.path, entries, options);
    });
    return this.last.catch((error) => console.warn(`PEZ: ${this.path} cannot be saved.`, error));
  }
}
