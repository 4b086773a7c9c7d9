// A list in a JSON file of the user's folder on the server, so that it is the same in every browser.

import { api } from "../../../../scripts/api.js";

export class UserFile {
  constructor(name) {
    this.path = `pez/${name}.json`;
    this.last = Promise.resolve();
  }

  // The entries; [] where there are none yet, where the file is damaged, or where the server does not answer.
  read() {
    return this.known().catch((error) => {
      console.warn(`PEZ: ${this.path} cannot be read.`, error);
      return [];
    });
  }

  // The same, but throws where the server does not answer: what is there must not be replaced then.
  async known() {
    const answer = await api.getUserData(this.path);
    if (answer.status === 404) return [];
    if (answer.status !== 200) throw new Error(`The server answered ${answer.status}.`);
    const entries = await answer.json().catch(() => []);
    return Array.isArray(entries) ? entries : [];
  }

  // Replaces the entries by `change(entries)`. Changes follow one another, each on what the file has then; one that fails
  // does not hold up the next.
  change(change) {
    const done = this.last.then(async () => {
      const entries = change(await this.known());
      const options = { overwrite: true, stringify: true, throwOnError: true };
      await api.storeUserData(this.path, entries, options);
    });
    this.last = done.catch((error) => console.warn(`PEZ: ${this.path} cannot be saved.`, error));
    return this.last;
  }
}
