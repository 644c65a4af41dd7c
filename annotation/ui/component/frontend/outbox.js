// What the browser must not lose: finished annotations the server has not acknowledged, annotations it refused, and
// the draft of the open sentence. Everything here survives a reload; nothing here knows the server or the screen.

// Storage that never throws. `broken` says that the browser blocks it or that it is full: then only memory is left.
class Shelf {
  constructor(area, prefix) {
    this.prefix = prefix;
    this.broken = false;
    try {
      this.area = window[area];
      this.area.setItem(`${prefix}probe`, "1");
      this.area.removeItem(`${prefix}probe`);
    } catch {
      this.area = null;
      this.broken = true;
    }
  }

  read(name) {
    try {
      return JSON.parse(this.area.getItem(this.prefix + name));
    } catch {
      return null; // blocked storage or a damaged entry: as if it were not there
    }
  }

  write(name, value) {
    try {
      this.area.setItem(this.prefix + name, JSON.stringify(value));
    } catch {
      this.broken = true;
    }
  }

  remove(name) {
    try {
      this.area.removeItem(this.prefix + name);
    } catch {
      this.broken = true;
    }
  }

  names() {
    if (!this.area) return [];
    return Object.keys(this.area)
      .filter((key) => key.startsWith(this.prefix))
      .map((key) => key.slice(this.prefix.length));
  }
}

// Annotations by id, one storage key each: two tabs never read, change and write the same key, so neither can undo
// the other. Only ids and offsets are stored, never the text of a sentence. An upgrade finds here what pages of earlier
// releases left: whoever changes the form of an annotation changes those it reads.
class Outbox {
  // An entry so old belongs to a tab that is gone: whoever finds it sends it. Sending twice does no harm.
  static ORPHANED_AFTER_MS = 20000;

  constructor(scope) {
    this.shelf = new Shelf("localStorage", `maner:outbox:${scope}:`);
    this.refusedShelf = new Shelf("localStorage", `maner:refused:${scope}:`);
    this.journal = new Journal(scope);
    this.waiting = new Map();
    this.refused = new Map();
    this.settled = new Set(); // acknowledged since the journal is being read, which may still tell of them
    this.adopt(0);
    this.journal.all().then((found) => {
      for (const annotation of found)
        if (!this.refused.has(annotation.id) && !this.settled.has(annotation.id)) this.waiting.set(annotation.id, annotation);
      this.settled = null;
    });
    for (const id of this.refusedShelf.names()) {
      const entry = this.refusedShelf.read(id);
      if (entry?.annotation?.id) this.refused.set(id, entry);
    }
  }

  get broken() {
    return this.shelf.broken;
  }

  get size() {
    return this.waiting.size;
  }

  put(annotation) {
    this.waiting.set(annotation.id, annotation);
    this.shelf.write(annotation.id, annotation);
    this.journal.put(annotation);
  }

  acknowledge(id) {
    this.waiting.delete(id);
    this.settled?.add(id);
    this.shelf.remove(id);
    this.journal.remove(id);
  }

  // The server will never take this one: keep it, with the reason, until its author throws it away.
  refuse(id, why) {
    const annotation = this.waiting.get(id);
    if (!annotation) return;
    this.refused.set(id, { annotation, why });
    this.refusedShelf.write(id, { annotation, why });
    this.acknowledge(id);
    // A correction on its way now corrects what the refused one was to correct.
    for (const later of this.waiting.values())
      if (later.supersedes === id) this.put({ ...later, supersedes: annotation.supersedes });
  }

  discardRefused(id) {
    this.refused.delete(id);
    this.refusedShelf.remove(id);
  }

  // Oldest first, so that a correction never arrives before what it corrects.
  oldest(count) {
    return [...this.waiting.values()].sort((a, b) => a.time - b.time).slice(0, count);
  }

  holdsSentence(sentence) {
    for (const annotation of this.waiting.values()) if (annotation.sentence === sentence) return true;
    return false;
  }

  // Take over what tabs that are gone left behind. What a clock that was set back says is to come is old, too.
  adopt(minimumAge = Outbox.ORPHANED_AFTER_MS) {
    for (const id of this.shelf.names()) {
      if (this.waiting.has(id)) continue;
      const annotation = this.shelf.read(id);
      if (annotation?.id === id && Math.abs(Date.now() - annotation.time) >= minimumAge) this.waiting.set(id, annotation);
    }
  }
}

// The id of this tab, which holds the leases: the same after a reload, another one in a duplicated tab.
//
// A duplicated tab starts with a copy of the session storage. While a tab is open it says so there; whoever starts
// with that mark already set is the copy and takes a new id.
function tabId() {
  const shelf = new Shelf("sessionStorage", "maner:tab:");
  const id = (!shelf.read("open") && shelf.read("id")) || uuid();
  shelf.write("id", id);
  const mark = () => shelf.write("open", true);
  mark();
  window.addEventListener("pageshow", mark);
  window.addEventListener("pagehide", () => shelf.remove("open"));
  return id;
}

// The draft on the screen, others put aside for a moment, and the sentences one can go back to: they belong to the tab
// and survive its reload.
class TabMemory {
  constructor(scope) {
    this.shelf = new Shelf("sessionStorage", `maner:work:${scope}:`);
  }

  get draft() {
    return this.shelf.read("draft");
  }

  set draft(draft) {
    if (draft) this.shelf.write("draft", draft);
    else this.shelf.remove("draft");
  }

  get aside() {
    return this.shelf.read("aside") ?? [];
  }

  set aside(items) {
    this.shelf.write("aside", items);
  }

  get history() {
    return this.shelf.read("history") ?? [];
  }

  set history(items) {
    this.shelf.write("history", items);
  }
}

// crypto.randomUUID exists only on https and localhost; a server in a village is often plain http.
function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
