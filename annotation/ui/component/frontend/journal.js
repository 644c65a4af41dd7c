// A second copy of the outbox, in IndexedDB, for the day the browser or the machine dies: what localStorage holds may reach
// the disk a minute later, what is written here is there at once. It is read once, when the tab opens.
class Journal {
  constructor(scope) {
    this.prefix = `${scope}:`;
    this.database = new Promise((resolve) => {
      try {
        const request = indexedDB.open("maner", 1);
        request.onupgradeneeded = () => request.result.createObjectStore("outbox");
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => resolve(null);
      } catch {
        resolve(null); // blocked storage: there is still localStorage, or memory
      }
    });
  }

  async #store(mode) {
    const database = await this.database;
    return database?.transaction("outbox", mode, { durability: "strict" }).objectStore("outbox");
  }

  put(annotation) {
    this.#store("readwrite").then((store) => store?.put(annotation, this.prefix + annotation.id), () => {});
  }

  remove(id) {
    this.#store("readwrite").then((store) => store?.delete(this.prefix + id), () => {});
  }

  // Everything in it, in any order.
  async all() {
    const store = await this.#store("readonly").catch(() => null);
    if (!store) return [];
    return new Promise((resolve) => {
      const request = store.getAll(IDBKeyRange.bound(this.prefix, `${this.prefix}\uffff`));
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve([]);
    });
  }
}
