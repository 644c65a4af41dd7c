// The editor: brings keys, mouse and touch to the session, and the session to the screen. Streamlit calls the default
// export at the end when the component is mounted and again whenever its data changes.

class Editor {
  static MEASURE = "maner:key-to-paint";

  constructor(root, work) {
    this.root = root; // the shadow root
    this.work = work;
    this.session = work.session;
    this.sync = work.sync;
    this.ui = root.querySelector(".maner");
    this.find = (selector) => this.ui.querySelector(selector);
    this.passing = "";
    this.afterFrame = new AfterFrame();
    this.view = new SentenceView(this.find(".sentence"), this.find(".scroll"), this.find(".dock"));
    this.commands = this.#commands();
    this.edge = new EdgeView(this.find, this.commands);
    this.listening = new AbortController();
    this.#listen();
    this.sync.onAnswer = (answer) => this.#onAnswer(answer);
    this.sync.onState = () => this.#draw();
    this.#watch();
  }

  configure(labels, words) {
    const translated = useWords(words, this.ui);
    if (translated) this.edge.drawActions();
    const changed = translated || JSON.stringify(labels) !== this.shownLabels;
    if (!changed) return; // a rerun of the page is no reason to redraw under somebody's hands
    this.shownLabels = JSON.stringify(labels);
    this.session.labels = labels;
    this.view.item = null;
    this.edge.drawLabels(labels);
    this.edge.drawHelp(labels);
    this.#draw();
    this.sync.kick();
  }

  close() {
    this.listening.abort();
    this.afterFrame.flush();
    this.sync.onAnswer = (answer) => this.work.keep(answer);
    this.sync.onState = () => {};
    this.sync.watched = false;
    this.session.setVisible(false);
  }

  // ---- the server ----

  #onAnswer(answer) {
    this.work.keep(answer);
    const fate = this.work.fate;
    if (fate === "gone") this.#say(say("went_away"));
    if (fate === "kept") this.#say(say("may_be_away"));
    this.#draw();
  }

  // ---- what one can do ----

  #commands() {
    const { session } = this;
    const move = (step) => (command) => session.step(step, command?.extend);
    const end = (position) => (command) => {
      const focus = position(session.open.sentence.tokens.length);
      session.select(command?.extend ? session.open.anchor : focus, focus);
    };
    const visual = (step) => (command) => move(this.view.rightToLeft ? -step : step)(command);
    const span = (find) => () => {
      const found = session.selectSpan(find(session.open.spans, session.selection[0]));
      if (found) this.#speak(`${found.label}: ${this.#words(found.start, found.end)}`);
    };
    const editing = (run) => (command) => {
      if (!session.open) return;
      run(command);
      this.#draw();
    };
    return {
      left: editing(visual(-1)),
      right: editing(visual(1)),
      home: editing(end(() => 0)),
      end: editing(end((length) => length - 1)),
      nextSpan: editing(span(spanAfter)),
      previousSpan: editing(span(spanBefore)),
      label: editing((name) => this.#label(name)),
      clear: editing(() => this.#unmark() || this.#clear(...session.selection)),
      undo: () => this.#undo(),
      previous: () => this.#previous(),
      redo: () => this.#redo(),
      accept: editing(() => this.#accept()),
      skip: editing(() => this.#submit("skipped")),
      notSentence: editing(() => this.#submit("skipped", "", "not_a_sentence")),
      flag: editing(() => this.#openComment()),
      guidelines: () => this.#toggleGuidelines(),
      help: () => this.#toggleHelp(),
      escape: () => this.#escape(),
      nothing: () => {},
      copyRefused: (id, button) => this.#copyRefused(id, button),
      discardRefused: (id) => {
        session.outbox.discardRefused(id);
        this.#drawState();
      },
    };
  }

  #label(name) {
    this.tapped = null;
    this.session.label(name);
    this.#speak(`${name}: ${this.#words(...this.session.selection)}`);
  }

  #clear(start, end) {
    this.tapped = null;
    if (this.session.clear(start, end)) this.#speak(`${say("removed")}: ${this.#words(start, end)}`);
  }

  #unmark() {
    const was = this.session.unmark();
    if (was) this.#speak(say("taken_back"));
    return was;
  }

  #undo() {
    const what = this.session.undo();
    this.#speak(say({ edit: "undone", sentence: "back" }[what] ?? "nothing_to_undo"));
    this.#draw();
  }

  #previous() {
    this.#speak(say(this.session.previous() ? "back" : "none_before"));
    this.#draw();
  }

  #redo() {
    const what = this.session.redo();
    this.#speak(say({ edit: "done_again", sentence: "on" }[what] ?? "nothing_to_redo"));
    this.#draw();
  }

  // With a comment written beside it, a sentence goes on as flagged: what somebody wrote must not be lost.
  #accept() {
    const { written } = this;
    this.#submit(written ? "flagged" : "labelled", written);
  }

  get written() {
    const { open } = this.session;
    return open?.flagging ? open.comment.trim() : "";
  }

  #submit(status, comment = "", skipReason = null) {
    this.tapped = null;
    this.#say("");
    this.session.submit(status, comment, skipReason);
    this.afterFrame.do(() => this.sync.kick());
    // Not "saved": that is for the server to say.
    const spoken = say({ labelled: "accepted", skipped: "skipped", flagged: "flagged" }[status]);
    const { open } = this.session;
    this.#speak(open ? `${spoken}. ${say("next")}: ${this.#words(0, open.sentence.tokens.length)}` : spoken);
  }

  #openComment() {
    this.session.open.flagging = true;
    this.session.keepDraft();
    this.#drawComment();
    this.find("#comment").focus();
    this.find(".comment").scrollIntoView({ block: "nearest" });
  }

  // What is written stays with the sentence, for when the box is opened again.
  #closeComment() {
    this.session.open.flagging = false;
    this.session.keepDraft();
    this.#draw();
  }

  #onComment(event) {
    if (!this.session.open) return;
    this.session.open.comment = event.target.value;
    this.session.keepDraft();
    this.edge.drawAccept(this.written);
  }

  #drawComment() {
    const { open } = this.session;
    const [form, input] = [this.find(".comment"), this.find("#comment")];
    const hadFocus = form.contains(this.root.activeElement); // also a button of it, which keeps it a moment when hidden
    form.hidden = !open?.flagging;
    if (form.hidden && hadFocus) this.#focusSentence();
    if (!form.hidden && input.value !== open.comment) input.value = open.comment; // else the cursor in it would jump
    this.edge.drawAccept(this.written);
  }

  #toggleHelp() {
    const help = this.find(".help");
    help.hidden = !help.hidden;
  }

  // They are Streamlit's, below the editor (see annotate.py), and stay readable beside the sentence.
  #toggleGuidelines() {
    const guidelines = document.querySelector(".st-key-guidelines details");
    if (!guidelines) {
      this.#say(say("no_guidelines"));
      return this.#drawState();
    }
    const shown = guidelines.open ? this.root.host : guidelines;
    guidelines.querySelector("summary").click();
    this.afterFrame.do(() => shown.scrollIntoView({ block: "nearest" }));
  }

  #escape() {
    if (!this.find(".help").hidden) this.#toggleHelp();
    else if (this.session.open) {
      this.session.select(this.session.open.focus);
      this.#draw();
    }
  }

  #describe = (annotation) => {
    const { history, open, queue } = this.session;
    const item = [...history, open, ...queue].find((known) => known?.sentence.id === annotation.sentence);
    const text = item ? `“${wordsBetween(item.sentence, 0, Math.min(8, item.sentence.tokens.length))} …”` : "";
    return `${say("sentence")} ${annotation.sentence} ${text}`.trim();
  };

  async #copyRefused(id, button) {
    const { annotation, why } = this.session.outbox.refused.get(id);
    const text = JSON.stringify({ ...annotation, sentence_text: this.#describe(annotation), why }, null, 2);
    try {
      await navigator.clipboard.writeText(text);
      button.lastElementChild.textContent = say("copied");
    } catch {
      window.prompt(say("copy_this"), text); // no clipboard without https
    }
  }

  #words(start, end) {
    return wordsBetween(this.session.open.sentence, start, end);
  }

  // ---- keys ----

  #listen() {
    const { signal } = this.listening;
    // On the window and before everybody else: Streamlit's own keys (R, C) listen further down.
    window.addEventListener("keydown", (event) => this.#onKey(event), { capture: true, signal });
    document.addEventListener("visibilitychange", () => this.#watch(), { signal });
    document.addEventListener("click", (event) => this.#returnFocus(event), { capture: true, signal });
    document.addEventListener("copy", (event) => this.#onCopy(event), { signal });
    window.addEventListener("beforeunload", (event) => this.#beforeUnload(event), { signal });
    const dialogs = new MutationObserver(() => this.#onDialog());
    dialogs.observe(document.body, { childList: true });
    signal.addEventListener("abort", () => dialogs.disconnect());
    const box = this.find(".sentence");
    box.addEventListener("pointerdown", (event) => (this.pointer = event.pointerType), { signal });
    box.addEventListener("mousedown", (event) => this.#onMouseDown(event), { signal });
    box.addEventListener("click", (event) => this.#onClick(event), { signal });
    // Of the window: a drag goes on beside the sentence.
    window.addEventListener("mousemove", (event) => this.#onMouseMove(event), { signal });
    window.addEventListener("mouseup", () => (this.dragFrom = null), { signal });
    const form = this.find(".comment");
    form.addEventListener("input", (event) => this.#onComment(event), { signal });
    form.addEventListener("submit", (event) => this.#flag(event), { signal });
    form.querySelector(".cancel").addEventListener("click", () => this.#closeComment(), { signal });
  }

  #onKey(event) {
    if (!this.#isOurs(event)) return;
    if (this.root.activeElement?.tagName === "INPUT") return this.#onCommentKey(event);
    const command = commandOf(event, this.session.labels);
    if (!command) return;
    const onButton = this.root.activeElement?.tagName === "BUTTON";
    if (onButton && command.name === "accept") return; // Enter presses the button
    event.preventDefault();
    event.stopImmediatePropagation();
    // Neither a key held down nor one pressed while the help covers the sentence may finish what nobody has looked at.
    const covered = !this.find(".help").hidden && !["help", "escape"].includes(command.name);
    if (covered) this.#toggleHelp();
    if ((event.repeat || covered) && ["accept", "skip", "notSentence", "flag"].includes(command.name)) return;
    const begun = performance.now();
    this.commands[command.name](command.name === "label" ? command.label : command);
    this.#measure(command.name, event.timeStamp, begun, performance.now());
  }

  // The words are not for the browser to select; what is selected here is copied all the same.
  #onCopy(event) {
    const elsewhere = !this.#isOurs() || this.root.activeElement?.tagName === "INPUT" || String(getSelection());
    if (elsewhere || !this.session.open) return;
    event.preventDefault();
    event.clipboardData.setData("text/plain", this.#words(...this.session.selection));
    this.#speak(say("copied"));
  }

  // In the comment box letters are letters, but Streamlit would take the box for a plain part of the page.
  #onCommentKey(event) {
    event.stopImmediatePropagation();
    if (event.isComposing) return;
    if (event.key === "Escape" && this.session.open) this.#closeComment();
    else if (event.key === "Enter" && this.root.activeElement.id === "comment") this.#flag(event);
  }

  #flag(event) {
    event.preventDefault();
    if (!this.session.open) return;
    this.#submit("flagged", this.find("#comment").value.trim());
    this.#draw();
  }

  // Keys are ours unless another part of the page has the focus or a dialog is open.
  #isOurs() {
    const active = document.activeElement;
    const { host } = this.root;
    const free = !active || active === document.body || active === host || active.contains(host);
    return free && !document.querySelector("[role=dialog]");
  }

  // A sentence that comes to an idle keyboard takes it. The first one also takes it from the link that led here.
  #takeFocus() {
    const active = document.activeElement;
    if (!active || active === document.body || (!this.welcomed && !isEditable(active))) this.#focusSentence();
    this.welcomed = true;
  }

  // Opening the guidelines or the menu by mouse must not leave the keyboard dead: give it back to the sentence.
  #returnFocus(event) {
    if (event.detail === 0 || this.root.host.contains(event.target)) return;
    setTimeout(() => {
      const active = document.activeElement;
      if (active?.matches("summary, button, a") && !document.querySelector("[role=dialog], [role=menu]")) this.#focusSentence();
    });
  }

  // Streamlit covers the page when it loses its connection. Labelling needs no connection and says itself how things
  // are, so the cover goes. (Should Streamlit word it differently one day, it only stays until it is closed by hand.)
  #onDialog() {
    const dialog = document.querySelector("[role=dialog]");
    if (dialog?.querySelector("h2")?.textContent === "Connection error")
      dialog.querySelector("button[aria-label=Close]")?.click();
    else if (!dialog && document.activeElement === document.body) this.#focusSentence();
  }

  #focusSentence() {
    this.find(".sentence").focus({ preventScroll: true });
  }

  // ---- mouse and touch ----

  // The word under the pointer, or the nearest one; the space after a word counts as the word, a tag as its entity's first.
  #position(event) {
    const target = event.composedPath()[0];
    const place = target.closest?.(".tag")?.parentElement.firstElementChild ?? target.closest?.(".word, .gap");
    return place?.position ?? this.view.nearest(event.clientX, event.clientY);
  }

  // A finger makes mouse events, too; it is heard in #onTap.
  #onMouseDown(event) {
    if (this.pointer !== "mouse" || event.button !== 0 || !this.session.open) return;
    event.preventDefault();
    this.#focusSentence();
    const position = this.#position(event);
    const { session } = this;
    const span = spanAt(session.open.spans, position);
    this.dragFrom = position;
    this.dragged = false;
    if (event.shiftKey) {
      session.select(session.open.anchor, position);
      this.dragFrom = session.open.anchor;
    } else if (span && event.detail === 1) session.selectSpan(span);
    else session.select(position);
    this.#draw();
  }

  #onMouseMove(event) {
    if (this.dragFrom == null || !(event.buttons & 1) || !this.session.open) return;
    const position = this.#position(event);
    // A press may have selected a whole entity; only leaving the word it began on makes it a drag.
    if (position !== this.dragFrom) this.dragged = true;
    const { anchor, focus } = this.session.open;
    if (!this.dragged || (anchor === this.dragFrom && focus === position)) return;
    this.session.select(this.dragFrom, position);
    this.#draw();
  }

  #onClick(event) {
    const remove = event.target.closest?.(".remove");
    if (!this.session.open) return;
    if (remove) {
      this.#clear(Number(remove.dataset.start), Number(remove.dataset.end));
      this.#draw();
    } else if (this.pointer !== "mouse") this.#onTap(this.#position(event));
  }

  // Tap the first word, tap the last word: a phrase. Tapping an entity selects it, tapping it again one word of it.
  #onTap(position) {
    const { session } = this;
    const span = spanAt(session.open.spans, position);
    if (this.tapped != null && this.tapped !== position) {
      session.select(this.tapped, position);
      this.tapped = null;
    } else if (span && span !== this.tappedSpan) {
      session.selectSpan(span);
      this.tapped = null;
    } else {
      session.select(position);
      this.tapped = position;
    }
    this.tappedSpan = span;
    this.#draw();
  }

  // ---- drawing ----

  #draw() {
    const { session } = this;
    const item = session.open;
    if (this.view.item !== item || !item) {
      this.view.show(item, session.labels);
      this.tapped = null;
      if (item) this.#takeFocus();
    } else this.view.update();
    this.#drawComment();
    const selected = item && spanAt(item.spans, item.focus);
    this.edge.drawSelected(selected?.label, Boolean(item), Boolean(item?.past.length), session.history.length > 0);
    this.ui.dataset.sentence = item ? item.sentence.id : "";
    this.#drawState();
    if (item) this.view.reveal(); // last, for it makes the browser lay the page out
    this.afterFrame.do(() => session.keepHistory());
  }

  #drawState() {
    const { outbox } = this.session;
    const { status, done } = this.work;
    this.edge.drawMeta(this.session.open, Boolean(this.session.open && this.session.marked));
    this.edge.drawEmpty(this.session.open, this.sync, status);
    this.edge.drawStatus(status, done + this.session.newlyFinished);
    const advice = this.edge.drawSaved(outbox, this.sync);
    this.edge.drawNotices(advice, this.passing, outbox.refused, this.#describe);
    this.ui.dataset.saved = outbox.size === 0;
    this.ui.dataset.unsent = outbox.size;
    this.ui.dataset.refused = outbox.refused.size;
    this.ui.dataset.connection = this.sync.state;
    this.ui.dataset.state = this.session.open ? "ready" : this.sync.answered ? "empty" : "loading";
  }

  // A passing remark, until the next sentence is sent.
  #say(text) {
    this.passing = text;
    if (text) this.#speak(text);
  }

  #speak(text) {
    this.edge.speak(text);
  }

  // From the key press to the first frame that shows its effect, for tests and for whoever wonders: which command it
  // was, how long the key waited for us, and how long we took. The rest is the browser's layout, paint and frame.
  #measure(command, start, begun, done) {
    this.afterFrame.do((end) => {
      if (performance.getEntriesByName(Editor.MEASURE).length > 500) performance.clearMeasures(Editor.MEASURE);
      const detail = { command, waited: begun - start, worked: done - begun };
      performance.measure(Editor.MEASURE, { start, end, detail });
    });
  }

  // ---- the tab ----

  #watch() {
    this.sync.watched = !document.hidden;
    this.session.setVisible(!document.hidden);
    if (document.hidden) this.afterFrame.flush();
    else this.sync.wake();
  }

  #beforeUnload(event) {
    if (this.session.outbox.broken && this.session.outbox.size) event.preventDefault();
  }
}

const isEditable = (target) => target.matches("input, textarea, select, [contenteditable=true]");

const editors = new WeakMap(); // shadow root -> editor

export default function mount({ data, parentElement, setTriggerValue }) {
  const work = Work.of(data.scope, data.labels);
  work.sync.configure({ url: data.url, token: data.token, trigger: setTriggerValue });
  let editor = editors.get(parentElement);
  if (editor && editor.work !== work) {
    editor.close();
    editor = null;
  }
  if (!editor) {
    editor = new Editor(parentElement, work);
    editors.set(parentElement, editor);
  }
  editor.configure(data.labels, data.words);
  if (data.answer) work.sync.receiveTrigger(data.answer);
  return () => {
    editor.close();
    editors.delete(parentElement);
  };
}
