// One sentence to be decided about: its versions side by side, where they differ, and the keys to decide. It follows the
// files of the span editor that it shares (words, spans, keys, sentence_view) in one scope; see __init__.py.

const LETTERS = "ABCD";
const PATIENCE_MS = 8000; // an answer that is later than this is lost: keys work again, the server refuses a double

const keyOf = (span) => `${span.start} ${span.end} ${span.label}`;
const spansOf = (triples) => triples.map(([start, end, label]) => ({ start, end, label }));

class ReviewCard {
  constructor(root) {
    this.root = root;
    this.ui = root.querySelector(".maner");
    this.find = (selector) => this.ui.querySelector(selector);
    this.draftView = new SentenceView(this.find(".draft .sentence"), this.find(".draft .scroll"));
    this.listening = new AbortController();
    const { signal } = this.listening;
    window.addEventListener("keydown", (event) => this.#onKey(event), { capture: true, signal });
    this.find(".draft .sentence").addEventListener("mousedown", (event) => this.#onMouseDown(event), { signal });
    this.find(".comment").addEventListener("submit", (event) => event.preventDefault(), { signal });
  }

  close() {
    this.listening.abort();
  }

  update(data, send) {
    this.send = send;
    if (this.data && data.turn === this.data.turn && data.stamp === this.data.stamp) return;
    this.data = data;
    this.waiting = false;
    this.draft = null;
    this.find("#comment").value = "";
    this.#draw();
  }

  // ---- drawing ----

  #draw() {
    const { item, problem } = this.data;
    this.ui.dataset.sentence = item.sentence;
    this.find(".reason").textContent = item.why;
    this.find(".document").textContent = item.document ?? "";
    this.#warn(problem);
    this.#drawVersions(item);
    this.find(".labels").replaceChildren(...this.data.labels.map((label) => this.#chip(label)));
    this.#drawDraft();
    this.#drawActions();
  }

  #drawVersions(item) {
    this.find(".versions").replaceChildren();
    item.versions.forEach((version, i) => this.#drawVersion(item, version, i));
  }

  #drawVersion(item, version, number) {
    const card = element("section", "card version");
    card.setAttribute("aria-label", `Version ${LETTERS[number]}`);
    const head = element("div", "head");
    head.append(element("kbd", "", LETTERS[number]), element("strong", "", version.names.join(", ")));
    for (const status of version.marks) {
      const mark = element("span", "status", status);
      mark.dataset.status = status;
      head.append(mark);
    }
    if (version.comment) head.append(element("span", "said", `“${version.comment}”`));
    const scroll = element("div", "scroll");
    const box = element("div", "sentence");
    scroll.append(box);
    card.append(head, scroll);
    this.find(".versions").append(card); // before it is drawn: the direction of its text is read from the page
    const view = new SentenceView(box, scroll);
    view.show({ sentence: item, spans: spansOf(version.spans), anchor: 0, focus: 0 }, this.data.labels);
    for (const word of view.words) word.removeAttribute("id"); // the draft has these ids
    box.removeAttribute("aria-activedescendant");
    this.#markDifferences(view, item, number);
  }

  // A span that some other version has not is framed; words that another version marks and this one does not, waved.
  #markDifferences(view, item, number) {
    const own = new Set(spansOf(item.versions[number].spans).map(keyOf));
    const others = item.versions.filter((_, i) => i !== number).map((version) => spansOf(version.spans));
    for (const [key, entity] of view.entities) {
      const span = key.split("\t").join(" ");
      if (others.some((spans) => !spans.some((other) => keyOf(other) === span))) entity.classList.add("different");
    }
    for (const spans of others)
      for (const span of spans)
        if (!own.has(keyOf(span)))
          for (let i = span.start; i < span.end; i++)
            if (!view.words[i].closest(".entity")) view.words[i].classList.add("missing");
  }

  #drawDraft() {
    const editing = Boolean(this.draft);
    this.find(".draft").hidden = !editing;
    this.find(".labels").hidden = !editing;
    this.draftView.show(this.draft, this.data.labels);
    if (editing) this.find(".draft .sentence").focus({ preventScroll: true });
  }

  #chip(label) {
    const chip = this.#button("chip", label.key, label.name, () => this.#edit({ name: "label", label: label.name }));
    paint(chip, label.color);
    return chip;
  }

  #drawActions() {
    const { item } = this.data;
    const actions = this.draft
      ? [["clear", "X", "Clear"], ["undo", "U", "Undo"], ["cancel", "Esc", "Cancel"], ["save", "Enter", "Decide so"]]
      : [
          ...item.versions.map((_, i) => [`take${i}`, LETTERS[i], `Take ${LETTERS[i]}`]),
          ["edit", "E", "Edit"],
          ["leaveOut", "S", "Leave out"],
          ["sendBack", "R", "Send back"],
          ["comment", "M", "Comment"],
          ["undo", "U", "Undo"],
          ["previous", "P", "Previous"],
          ["next", "N", "Next"],
        ];
    const buttons = actions.map(([command, key, text]) => {
      const primary = command === "save" ? " primary" : "";
      const button = this.#button(`action${primary}`, key, text, () => this.#do(command));
      button.dataset.command = command;
      return button;
    });
    this.find(".actions").replaceChildren(...buttons);
  }

  #button(className, key, text, onClick) {
    const button = element("button", className);
    button.type = "button";
    if (key) button.append(element("kbd", "", key === "Enter" ? "⏎" : key));
    button.append(element("span", "", text));
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", onClick);
    return button;
  }

  #warn(text) {
    const notice = this.find(".notice");
    notice.hidden = !text;
    notice.textContent = text ?? "";
  }

  // ---- deciding ----

  #do(command) {
    if (this.draft) return this.#edit({ name: { save: "accept", cancel: "escape" }[command] ?? command });
    const comment = this.find("#comment");
    if (command === "comment") return comment.focus();
    if (command === "edit") return this.#startDraft();
    if (command === "sendBack" && !comment.value.trim()) {
      this.#warn("Say what is to be done, then press Enter.");
      this.sendingBack = true;
      return comment.focus();
    }
    const version = /^take(\d)$/.exec(command);
    this.#act(version ? { action: "take", version: Number(version[1]) } : { action: command });
  }

  // One at a time, and each with what was on the screen: the server refuses it if that is no longer so.
  #act(fields) {
    if (this.waiting) return;
    const { item, turn } = this.data;
    this.waiting = true;
    setTimeout(() => (this.waiting = false), PATIENCE_MS);
    this.sendingBack = false;
    const comment = this.find("#comment").value.trim();
    this.send({ turn, sentence: item.sentence, seen: item.seen, comment, ...fields });
  }

  #startDraft() {
    const { item } = this.data;
    const spans = spansOf(item.versions[0]?.spans ?? []);
    const first = spans[0] ?? { start: 0, end: 1 };
    this.draft = { sentence: item, spans, anchor: first.start, focus: first.end - 1, past: [] };
    this.#drawDraft();
    this.#drawActions();
  }

  // ---- editing ----

  #edit(command) {
    const { draft } = this;
    const last = draft.sentence.tokens.length - 1;
    const [start, end] = [Math.min(draft.anchor, draft.focus), Math.max(draft.anchor, draft.focus) + 1];
    const select = (anchor, focus) => {
      draft.anchor = Math.max(0, Math.min(last, anchor));
      draft.focus = Math.max(0, Math.min(last, focus));
    };
    const change = (spans) => {
      if (sameSpans(spans, draft.spans)) return;
      draft.past.push(draft.spans);
      draft.spans = spans;
    };
    const move = (step) => {
      if (command.extend) select(draft.anchor, draft.focus + step);
      else if (step > 0) select(end - 1 + step, end - 1 + step);
      else select(start + step, start + step);
    };
    const toSpan = (span) => span && select(span.start, span.end - 1);
    const step = this.draftView.rightToLeft ? -1 : 1;
    const run = {
      left: () => move(-step),
      right: () => move(step),
      home: () => select(command.extend ? draft.anchor : 0, 0),
      end: () => select(command.extend ? draft.anchor : last, last),
      nextSpan: () => toSpan(spanAfter(draft.spans, start)),
      previousSpan: () => toSpan(spanBefore(draft.spans, start)),
      label: () => change(withSpan(draft.spans, { start, end, label: command.label })),
      clear: () => change(withoutRange(draft.spans, start, end)),
      undo: () => draft.past.length && (draft.spans = draft.past.pop()),
    }[command.name];
    if (command.name === "accept") return this.#act({ action: "edit", spans: plainSpans(draft.spans) });
    if (command.name === "escape") {
      this.draft = null;
      this.#drawDraft();
      return this.#drawActions();
    }
    if (!run) return;
    run();
    this.draftView.update();
    this.draftView.reveal();
  }

  #onMouseDown(event) {
    if (!this.draft || event.button !== 0) return;
    const { draft } = this;
    const remove = event.target.closest?.(".remove");
    const position = event.target.closest?.(".word, .gap")?.position;
    if (!remove && position == null) return;
    event.preventDefault();
    const span = remove ? null : spanAt(draft.spans, position);
    if (remove) {
      [draft.anchor, draft.focus] = [Number(remove.dataset.start), Number(remove.dataset.end) - 1];
      this.#edit({ name: "clear" });
    } else if (event.shiftKey) draft.focus = position;
    else [draft.anchor, draft.focus] = span ? [span.start, span.end - 1] : [position, position];
    this.draftView.update();
    this.find(".draft .sentence").focus({ preventScroll: true });
  }

  // ---- keys ----

  #onKey(event) {
    const active = document.activeElement;
    const { host } = this.root;
    const free = !active || active === document.body || active === host || active.contains(host);
    if (!free || document.querySelector("[role=dialog]")) return;
    if (this.root.activeElement?.tagName === "INPUT") return this.#onCommentKey(event);
    if (this.root.activeElement?.tagName === "BUTTON" && event.key === "Enter") return;
    const run = this.draft ? this.#draftKey(event) : this.#decisionKey(event);
    if (!run) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.repeat || this.draft) run();
  }

  #onCommentKey(event) {
    event.stopImmediatePropagation();
    if (event.isComposing || !["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault();
    this.root.activeElement.blur();
    if (event.key === "Enter" && this.sendingBack) this.#do("sendBack");
  }

  #draftKey(event) {
    const command = commandOf(event, this.data.labels);
    return command && (() => this.#edit(command));
  }

  #decisionKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return null;
    // Keyboards of other scripts have no Latin letters: there the place of the key counts.
    const place = /^Key([A-Z])$/.exec(event.code ?? "")?.[1];
    const letter = event.key.length === 1 && event.key.codePointAt(0) > 127 && place ? place : event.key.toUpperCase();
    const version = LETTERS.indexOf(letter);
    const command =
      letter.length === 1 && version >= 0 && version < this.data.item.versions.length
        ? `take${version}`
        : { E: "edit", S: "leaveOut", R: "sendBack", M: "comment", U: "undo", P: "previous", N: "next" }[letter];
    if (command) return () => this.#do(command);
    return letter === "C" ? () => {} : null; // Streamlit would clear its caches
  }
}

const cards = new WeakMap();

export default function ({ data, parentElement, setTriggerValue }) {
  let card = cards.get(parentElement);
  if (!card) {
    WORDS = { suggested: "suggested", remove: "Remove" };
    card = new ReviewCard(parentElement);
    cards.set(parentElement, card);
  }
  card.update(data, (act) => setTriggerValue("act", act));
  return () => {
    card.close();
    cards.delete(parentElement);
  };
}
