// Draws one sentence. The words are made once for each sentence; after that a key press changes only what it changes
// (a sentence of 2,400 words is redrawn in a few milliseconds). Text is set as text, never as markup.

// A token with a bidirectional control character must not turn the words around it.
const BIDI_CONTROL = /[\u202A-\u202E\u2066-\u2069]/;

// Copied for each word and each space between words: quicker than making them anew.
const WORD = element("span", "word");
WORD.setAttribute("role", "option");
WORD.setAttribute("aria-selected", "false");
const GAP = element("span", "gap", " ");

class SentenceView {
  constructor(box, scroller, dock) {
    this.box = box;
    this.scroller = scroller;
    this.dock = dock; // what may cover the end of the page
    this.item = null;
  }

  // Show the item, or nothing for null.
  show(item, labels) {
    this.labels = labels;
    this.item = item;
    this.words = [];
    this.gaps = [];
    this.entities = new Map();
    this.selected = [0, 0];
    this.unseen = true;
    this.cursor = null;
    this.box.replaceChildren();
    this.box.hidden = !item;
    if (!item) return;
    const { sentence } = item;
    const all = document.createDocumentFragment();
    sentence.tokens.forEach((token, i) => {
      const word = WORD.cloneNode();
      word.id = `word-${i}`;
      word.textContent = token;
      word.position = i;
      if (BIDI_CONTROL.test(token)) word.classList.add("isolate");
      const gap = spaceAfter(sentence, i) ? GAP.cloneNode(true) : null;
      if (gap) gap.position = i;
      this.words.push(word);
      this.gaps.push(gap);
      all.append(word, ...(gap ? [gap] : []));
    });
    this.rightToLeft = this.#runsRightToLeft(sentence);
    this.box.dir = this.rightToLeft ? "rtl" : "ltr";
    this.#drawSpans(); // before the browser has laid anything out, so that it does so once
    this.box.append(all);
    this.update();
  }

  // The direction of the project, else the browser's own rule for the text as a whole. Not left to dir="auto" on the
  // sentence, which the browser would work out again for each of its words.
  #runsRightToLeft(sentence) {
    if (sentence.direction !== "auto") return sentence.direction === "rtl";
    const probe = element("span", "", wordsBetween(sentence, 0, sentence.tokens.length));
    probe.dir = "auto";
    this.box.replaceChildren(probe);
    const { direction } = getComputedStyle(probe);
    this.box.replaceChildren();
    return direction === "rtl";
  }

  // Bring the drawing up to the item's spans and selection.
  update() {
    if (!this.item) return;
    this.#drawSpans();
    this.#drawSelection();
  }

  #drawSpans() {
    const wanted = new Map(this.item.spans.map((span) => [Object.values(span).join("\t"), span]));
    for (const [key, entity] of this.entities) {
      if (wanted.has(key)) continue;
      entity.lastChild.remove();
      entity.replaceWith(...entity.childNodes);
      this.entities.delete(key);
    }
    for (const [key, span] of wanted) if (!this.entities.has(key)) this.entities.set(key, this.#wrap(span));
  }

  #wrap(span) {
    const entity = element("span", `entity${span.suggested ? " suggested" : ""}${span.source ? " known" : ""}`);
    entity.dataset.label = span.label;
    entity.setAttribute("role", "group");
    const label = this.labels.find((candidate) => candidate.name === span.label);
    paint(entity, label?.color ?? "#808080");
    const sure = span.suggested && span.confidence != null;
    // The surer the tagger, the fuller the shade: 6 % to 26 %.
    if (sure) entity.style.setProperty("--shade", `${Math.round(6 + 20 * span.confidence)}%`);
    const said = [span.label, span.suggested && say("suggested"), sure && percent(span.confidence), whence(span)];
    entity.setAttribute("aria-label", said.filter(Boolean).join(", "));
    this.words[span.start].before(entity);
    for (let i = span.start; i < span.end; i++) {
      entity.append(this.words[i]);
      if (this.gaps[i] && i < span.end - 1) entity.append(this.gaps[i]);
    }
    entity.append(this.#tag(span, sure));
    return entity;
  }

  #tag(span, sure) {
    const tag = element("span", "tag");
    tag.dir = "ltr";
    tag.setAttribute("aria-hidden", "true");
    // The word joiner keeps the tag on the line of the last word, in every script.
    tag.append("\u2060", element("b", "", span.label));
    if (sure) tag.append(element("span", "confidence", percent(span.confidence)));
    if (span.source) {
      const origin = element("span", "confidence");
      origin.append(element("bdi", "", whence(span))); // in the direction of its own words
      tag.append(origin);
    }
    const remove = element("span", "remove", "×");
    remove.title = say("remove");
    remove.dataset.start = span.start;
    remove.dataset.end = span.end;
    tag.append(remove);
    return tag;
  }

  #drawSelection() {
    const { anchor, focus } = this.item;
    const [start, end] = [Math.min(anchor, focus), Math.max(anchor, focus) + 1];
    const mark = (from, to, on) => {
      for (let i = from; i < to; i++) {
        this.words[i].classList.toggle("selected", on);
        this.words[i].setAttribute("aria-selected", on);
        if (i < to - 1) this.gaps[i]?.classList.toggle("selected", on);
      }
    };
    mark(...this.selected, false);
    mark(start, end, true);
    this.selected = [start, end];
    this.cursor?.classList.remove("cursor");
    this.cursor = this.words[focus];
    this.cursor.classList.add("cursor");
    this.box.setAttribute("aria-activedescendant", this.cursor.id);
  }

  // The word whose box is nearest to a point of the window: that of the line first, then along it.
  nearest(x, y) {
    let best = 0;
    let least = Infinity;
    this.words.forEach((word, i) => {
      for (const { left, right, top, bottom } of word.getClientRects()) {
        const distance = 1e5 * Math.max(top - y, y - bottom, 0) + Math.max(left - x, x - right, 0);
        if (distance < least) [best, least] = [i, distance];
      }
    });
    return best;
  }

  // Scroll so that the cursor and a line around it can be seen: the card, or the page on a screen too small for a card
  // that scrolls by itself.
  reveal() {
    const { scroller } = this;
    const isNew = this.unseen;
    this.unseen = false;
    if (getComputedStyle(scroller).maxBlockSize === "none") return this.#revealOnPage(isNew);
    if (isNew) scroller.scrollTop = 0;
    if (scroller.scrollHeight <= scroller.clientHeight) return;
    const view = scroller.getBoundingClientRect();
    const word = this.cursor.getBoundingClientRect();
    const margin = word.height;
    if (word.top - margin < view.top) scroller.scrollTop += word.top - margin - view.top;
    else if (word.bottom + margin > view.bottom) scroller.scrollTop += word.bottom + margin - view.bottom;
  }

  // A new sentence only where the page stands below its beginning: what surrounds it stays on the screen.
  #revealOnPage(isNew) {
    const { cursor, box, dock } = this;
    const word = cursor.getBoundingClientRect();
    if (isNew && box.getBoundingClientRect().top < 0) return box.scrollIntoView({ block: "start" });
    if (isNew) return;
    cursor.style.scrollMarginBlock = `${5 * word.height}px ${dock.offsetHeight + word.height}px`;
    cursor.scrollIntoView({ block: "nearest" });
  }
}

// Where a known name comes from, in words; "" for everything else.
const whence = ({ source, seenIn }) =>
  source === "list" ? say("from_list") : source === "seen" ? say("seen_in", { n: seenIn }) : "";

function element(name, className = "", text = null) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text != null) made.textContent = text;
  return made;
}

// Give an element its label's colour, and the white or else black that can be read on it: one of the two always has a
// contrast of at least 4.5 : 1 (WCAG 2, relative luminance; white has it up to 0.183).
function paint(target, color) {
  target.style.setProperty("--label", color);
  target.style.setProperty("--on-label", luminance(color) > 0.183 ? "#000" : "#fff");
}

function luminance(color) {
  const hex = /^#?([0-9a-f]{6})/i.exec(color.length === 4 ? color.replace(/[0-9a-f]/gi, "$&$&") : color);
  if (!hex) return 0;
  const channel = (shift) => {
    const value = ((parseInt(hex[1], 16) >> shift) & 255) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0);
}
