// The work of one annotator in one project: the open sentence, what comes next, what was done. No DOM, no network.
//
// An item is a sentence with the state of work on it:
//   {sentence, spans, anchor, focus, past, future, unmarked, comment, flagging, sent, sentSpans, lost, milliseconds,
//    suggestedBy}
// anchor and focus are the token positions of the selection (focus is where the cursor is), past and future are the
// undo steps, `sent` is the last annotation made of it or null and sentSpans what was on the screen then, `lost` says
// that its lease is. Sentences already sent can be opened again: what is sent then supersedes the first annotation, and
// `unmarked` says that it is no longer skipped or flagged. `flagging`: the comment is being written.
// suggestedBy is the run that suggested when it was handed out (null: none did), there until it is opened.
class Session {
  static KEPT = 50; // sentences one can go back to
  static KEPT_OVER_RELOAD = 20;

  constructor(scope, labels, client) {
    this.labels = labels;
    this.client = client;
    this.outbox = new Outbox(scope);
    this.memory = new TabMemory(scope);
    this.queue = this.memory.aside.map(restored);
    this.history = this.memory.history.map(restored);
    this.historyChanged = false;
    this.run = null; // whose suggestions people see now
    this.names = null; // the version of the known names that the sentences here were handed out with
    this.open = null;
    this.visible = false;
    const draft = this.memory.draft;
    if (draft?.sentence?.tokens) this.#show(restored(draft));
  }

  // ---- what the server needs to know and says ----

  // Sentences this tab holds a lease on. One opened again is no longer leased: it was already sent.
  get held() {
    return [...this.queue, ...(this.open ? [this.open] : [])]
      .filter((item) => !item.sent && !item.lost)
      .map((item) => item.sentence.id);
  }

  // Sentences finished here that the server does not count yet.
  get newlyFinished() {
    return this.outbox.oldest(Infinity).filter((annotation) => !annotation.supersedes).length;
  }

  receive(batch, run, names) {
    this.run = run;
    this.names = names;
    this.#takeBack(batch);
    const known = new Set([...this.queue, ...this.history].map((item) => item.sentence.id));
    if (this.open) known.add(this.open.sentence.id);
    for (const sentence of batch) {
      if (known.has(sentence.id) || this.outbox.holdsSentence(sentence.id)) continue;
      known.add(sentence.id);
      if (sentence.note) this.queue.unshift(this.#newItem(sentence));
      else this.queue.push(this.#newItem(sentence));
    }
    if (!this.open) this.#next();
  }

  // What was sent back is no longer done: it comes as a sentence of its own, not as one to go back to.
  #takeBack(batch) {
    const back = new Set(batch.filter((s) => s.note && !this.outbox.holdsSentence(s.id)).map((s) => s.id));
    if (!back.size) return;
    this.history = this.history.filter((item) => !back.has(item.sentence.id));
    this.historyChanged = true;
  }

  // What this person did last, in this tab or elsewhere, the oldest first: to go back to from a new tab.
  receiveEarlier(sentences) {
    const known = new Set([...this.queue, ...this.history, ...(this.open ? [this.open] : [])].map((item) => item.sentence.id));
    const earlier = sentences.filter(({ id }) => !known.has(id) && !this.outbox.holdsSentence(id)).map(doneItem);
    this.history = [...earlier, ...this.history].slice(-Session.KEPT);
    this.historyChanged = earlier.length > 0;
  }

  #newItem(sentence) {
    const spans = sentence.note
      ? sentence.spans.map(([start, end, label]) => ({ start, end, label }))
      : suggestedSpans(sentence, this.labels);
    const first = spans[0] ?? { start: 0, end: 1 };
    return { ...emptyItem(sentence), spans, anchor: first.start, focus: first.end - 1, suggestedBy: this.run };
  }

  // Whether sentences that nobody has looked at wait here with suggestions of another run than people see now.
  get stale() {
    return this.queue.some((item) => item.suggestedBy !== undefined && item.suggestedBy !== this.run);
  }

  // Held sentences as the server would hand them out now. What was on the screen before stays as it was seen.
  refresh(sentences) {
    const fresh = new Map(sentences.map((sentence) => [sentence.id, sentence]));
    this.queue = this.queue.map((item) => {
      if (item.suggestedBy === undefined) return item;
      const sentence = fresh.get(item.sentence.id);
      return sentence ? this.#newItem(sentence) : { ...item, suggestedBy: this.run };
    });
  }

  // An annotation the server will never take: its sentence comes back with the work on it, to be corrected.
  refuse(id, why) {
    this.outbox.refuse(id, why);
    const at = this.history.findIndex((item) => item.sent?.id === id);
    const item = at < 0 ? (this.open?.sent?.id === id ? this.open : null) : this.history.splice(at, 1)[0];
    if (!item) return;
    item.sent = null;
    if (item !== this.open) this.queue.unshift(item);
    if (!this.open) this.#next();
    this.historyChanged = true;
  }

  // Leases lost while the computer slept: somebody else may have the sentence now. Work already begun is not taken
  // away, it is saved beside the other person's. Returns "gone" or "kept" if that befell the open sentence, else null.
  drop(ids) {
    const lost = new Set(ids);
    for (const item of [...this.queue, ...(this.open ? [this.open] : [])])
      if (!item.sent && lost.has(item.sentence.id)) item.lost = true;
    const stays = (item) => !item.lost || begun(item);
    this.queue = this.queue.filter(stays);
    if (!this.open || !lost.has(this.open.sentence.id) || !this.open.lost) return null;
    if (stays(this.open)) return "kept";
    this.#next();
    return "gone";
  }

  // ---- the selection ----

  get selection() {
    const { anchor, focus } = this.open;
    return [Math.min(anchor, focus), Math.max(anchor, focus) + 1];
  }

  select(anchor, focus = anchor) {
    const last = this.open.sentence.tokens.length - 1;
    this.open.anchor = Math.max(0, Math.min(last, anchor));
    this.open.focus = Math.max(0, Math.min(last, focus));
  }

  // One word on (step 1) or back (-1): from the cursor when extending, else from that end of the selection.
  step(step, extend) {
    const [start, end] = this.selection;
    if (extend) this.select(this.open.anchor, this.open.focus + step);
    else this.select(step > 0 ? end - 1 + step : start + step);
  }

  selectSpan(span) {
    if (span) this.select(span.start, span.end - 1);
    return span;
  }

  // ---- edits; each is one undo step ----

  #edit(change) {
    this.open.past.push(this.#state());
    this.open.future = [];
    Object.assign(this.open, change);
    this.keepDraft();
  }

  #state() {
    const { spans, anchor, focus, unmarked } = this.open;
    return { spans, anchor, focus, unmarked };
  }

  label(name) {
    const [start, end] = this.selection;
    const there = this.open.spans.find((span) => sameSpan(span, { start, end, label: name }));
    if (there && !there.suggested) return;
    this.#edit({ spans: withSpan(this.open.spans, { start, end, label: name }) });
  }

  // Remove what the selection touches; returns whether there was anything.
  clear(start = this.selection[0], end = this.selection[1]) {
    const rest = withoutRange(this.open.spans, start, end);
    if (rest.length === this.open.spans.length) return false;
    this.#edit({ spans: rest });
    return true;
  }

  // Whether the open sentence was skipped or flagged before, and nobody has taken that back.
  get marked() {
    const { sent, unmarked } = this.open;
    return Boolean(sent && sent.status !== "labelled" && !unmarked);
  }

  // Take the skip or the flag back; returns whether there was one.
  unmark() {
    if (!this.marked) return false;
    this.#edit({ unmarked: true });
    return true;
  }

  // One step back: the last edit since the sentence was sent, else the sentence before. "edit", "sentence" or null.
  undo() {
    const item = this.open;
    if (item?.past.length) {
      item.future.push(this.#state());
      Object.assign(item, item.past.pop());
      this.keepDraft();
      return "edit";
    }
    return this.previous();
  }

  // To the sentence before. What is begun on the open one waits, as it is. Returns "sentence" or null.
  previous() {
    if (!this.history.length) return null;
    if (this.open) this.queue.unshift(this.open);
    this.#show(this.history.pop());
    this.historyChanged = true;
    return "sentence";
  }

  // One step forward: the edit undone last, else on from a sentence that was opened again and is as it was sent.
  redo() {
    const item = this.open;
    if (!item) return null;
    if (item.future.length) {
      item.past.push(this.#state());
      Object.assign(item, item.future.pop());
      this.keepDraft();
      return "edit";
    }
    if (!item.sent || item.unmarked || !sameSpans(item.spans, item.sentSpans)) return null;
    this.#finish();
    return "sentence";
  }

  // ---- finishing a sentence ----

  // Turn the open sentence into an annotation, safe in this browser before the next sentence shows. A sentence opened
  // again and left as it was makes no new annotation, and stays skipped or flagged where it was. Returns the annotation
  // or null.
  submit(status, comment = "", skipReason = null) {
    const item = this.open;
    const skipped = status === "skipped";
    const before = item.sent;
    const sameSpansAsSent = before && (skipped || sameSpans(item.spans, item.sentSpans));
    const sameAsSent = before?.status === status && before.comment === comment && (before.skip_reason ?? null) === skipReason;
    const stillMarked = status === "labelled" && this.marked;
    if (sameSpansAsSent && (sameAsSent || stillMarked)) return this.#finish(null);
    this.#stopClock();
    const annotation = {
      id: uuid(),
      sentence: item.sentence.id,
      status,
      spans: skipped ? [] : plainSpans(item.spans),
      comment,
      skip_reason: skipReason,
      // The outbox goes by time: a clock set back must not put a correction before what it corrects.
      time: Math.max(Date.now(), before ? before.time + 1 : 0),
      milliseconds: Math.round(item.milliseconds),
      run: item.sentence.run,
      names: item.sentence.names ?? [],
      supersedes: before?.id ?? item.sentence.supersedes ?? null,
    };
    this.outbox.put(annotation);
    // What was sent is the person's word now, also where they only agreed with the tagger.
    if (!skipped) item.spans = item.spans.map(({ start, end, label }) => ({ start, end, label }));
    Object.assign(item, { sent: annotation, sentSpans: item.spans, milliseconds: 0 });
    return this.#finish(annotation);
  }

  // What was edited before a sentence was sent is no step back from there.
  #finish(annotation = null) {
    const item = this.open;
    Object.assign(item, { past: [], future: [], unmarked: false, flagging: false, comment: item.sent.comment });
    this.history.push(item);
    if (this.history.length > Session.KEPT) this.history.shift();
    this.open = null;
    this.historyChanged = true;
    this.#next();
    return annotation;
  }

  #next() {
    this.#stopClock();
    this.#show(this.queue.shift() ?? null);
  }

  #show(item) {
    this.#stopClock();
    this.open = item;
    if (item) delete item.suggestedBy;
    this.#startClock();
    this.keepDraft();
    this.#keepAside();
  }

  // ---- time: only while the sentence can be seen ----

  setVisible(visible) {
    this.visible = visible;
    if (visible) this.#startClock();
    else this.#stopClock();
  }

  #startClock() {
    if (this.open && this.visible) this.shownAt ??= performance.now();
  }

  #stopClock() {
    if (this.open && this.shownAt != null) this.open.milliseconds += performance.now() - this.shownAt;
    this.shownAt = null;
  }

  // ---- surviving a reload ----

  keepDraft() {
    this.memory.draft = this.open && keptItem(this.open);
  }

  // Work on sentences that wait because somebody went back from them.
  #keepAside() {
    const aside = this.queue.filter((item) => item.sent || begun(item)).map(keptItem);
    if (aside.length || this.asideKept) this.memory.aside = aside;
    this.asideKept = aside.length > 0;
  }

  // Up to twenty sentences: too much to write before the next one shows, and no work is in it that the outbox has not.
  keepHistory() {
    if (!this.historyChanged) return;
    this.historyChanged = false;
    this.memory.history = this.history.slice(-Session.KEPT_OVER_RELOAD).map(keptItem);
  }
}

const emptyItem = (sentence) => ({
  sentence,
  spans: [],
  anchor: 0,
  focus: 0,
  past: [],
  future: [],
  unmarked: false,
  comment: "",
  flagging: false,
  sent: null,
  sentSpans: [],
  lost: false,
  milliseconds: 0,
});

const restored = (kept) => ({ ...emptyItem(kept.sentence), ...kept });

// A sentence as the server tells of it that this person has done before.
function doneItem({ spans, done, ...sentence }) {
  const made = spans.map(([start, end, label]) => ({ start, end, label }));
  const first = made[0] ?? { start: 0, end: 1 };
  const at = { anchor: first.start, focus: first.end - 1 };
  return { ...emptyItem(sentence), ...at, spans: made, sentSpans: made, sent: done, comment: done.comment };
}

const begun = (item) => item.past.length > 0 || (!item.sent && item.comment !== "");

// Undo steps of sentences sent before are not worth their room; those of the draft are.
const keptItem = (item) => (item.sent ? { ...item, past: [], future: [] } : item);
