// Draws what surrounds the sentence: progress, worker, saved or not, buttons, help, notices.

// The words for where the work is: [short, state for the colour, what to do or ""].
function savedWords(outbox, sync) {
  const n = outbox.size;
  const notSaved = say("not_saved", { n });
  const advice = (key) => say(key) + (n ? ` ${say("unsent", { n })}` : "");
  if (outbox.broken) return [n ? notSaved : say("saved"), n ? "bad" : "warn", say("no_storage")];
  switch (sync.state) {
    case "ended":
      return [say("ended"), "bad", advice("ended_advice")];
    case "gone":
      return [say("gone"), "bad", advice("gone_advice")];
    case "outdated":
      return [say("outdated"), "bad", advice("outdated_advice")];
    case "full":
      return [say("full"), "bad", advice("full_advice")];
    case "refused":
      return [say("refused"), "bad", advice("refused_advice") + (sync.problem ? ` (${sync.problem})` : "")];
    case "busy":
      return [n ? notSaved : say("busy"), "warn", n ? advice("busy_advice") : ""];
    case "offline":
      return [say("offline_short") + (n ? ` · ${notSaved}` : ""), "bad", advice("offline_advice")];
    default:
      return n ? [say("saving", { n }), "busy", ""] : [say("all_saved"), "good", ""];
  }
}

// What to say where there is no sentence: [headline, what to do].
function emptyWords(sync, status) {
  if (!sync.answered || !status) {
    if (sync.state === "ok") return [say("fetching"), ""];
    const comesByItself = sync.state === "offline" || sync.state === "busy";
    return comesByItself ? [say("fetching"), say("no_answer")] : [say(sync.state), ""]; // the notice below says what to do
  }
  if (!status.pool && !status.evaluation) return [say("none_yet"), say("none_yet_advice")];
  if (!status.left) return [say("all_done"), say("all_done_advice")];
  if (sync.state !== "ok") return [say("none_here"), say("none_here_advice")];
  return [say("nothing_now"), say("nothing_now_advice")];
}

// A key as it is written on the keyboard, from left to right in every language.
function keyCap(key) {
  const cap = element("kbd", "", key);
  cap.dir = "ltr";
  return cap;
}

function timeLeft(seconds) {
  if (seconds == null) return "";
  return seconds < 60 ? say("minute_left") : say("minutes_left", { n: Math.round(seconds / 60) });
}

class EdgeView {
  // `act` maps a command name to a function; `find` finds an element of the editor.
  constructor(find, act) {
    this.find = find;
    this.act = act;
    this.chips = [];
  }

  // ---- labels and buttons ----

  drawLabels(labels) {
    this.chips = labels.map((label) => {
      const chip = this.#button("chip", label.key, label.name, () => this.act.label(label.name));
      chip.title = label.description || label.name;
      chip.dataset.label = label.name;
      chip.setAttribute("aria-pressed", "false");
      paint(chip, label.color);
      return chip;
    });
    this.find(".labels").replaceChildren(...this.chips);
  }

  drawActions() {
    const actions = [
      ["previous", "P", say("previous"), "", "‹"],
      ["undo", "U", say("undo"), ""],
      ["clear", "X", say("clear"), ""],
      ["skip", "S", say("skip"), ""],
      ["notSentence", "⇧S", say("not_sentence"), ""],
      ["flag", "F", say("flag"), ""],
      ["help", "?", say("keys"), "keys-only"],
      ["accept", "Enter", say("accept"), "primary"],
    ];
    const buttons = actions.map(([command, key, text, className, glyph]) => {
      const button = this.#button(`action ${className}`, key, glyph ?? text, () => this.act[command]());
      button.dataset.command = command;
      if (glyph) {
        button.setAttribute("aria-label", text);
        button.title = text;
      }
      return button;
    });
    this.find(".actions").replaceChildren(...buttons);
  }

  #button(className, key, text, onClick) {
    const button = element("button", className);
    button.type = "button";
    if (key) {
      button.append(keyCap(key === "Enter" ? "⏎" : key));
      button.setAttribute("aria-keyshortcuts", key.replace("⇧", "Shift+"));
    }
    button.append(element("span", "", text));
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the sentence keeps the focus
    button.addEventListener("click", onClick);
    return button;
  }

  // Mark the label of the selected span on its chip, and switch off what cannot be done.
  drawSelected(label, canEdit, edited, canGoBack) {
    for (const chip of this.chips) {
      chip.setAttribute("aria-pressed", chip.dataset.label === label);
      chip.disabled = !canEdit;
    }
    const can = { undo: edited || canGoBack, previous: canGoBack, help: true };
    for (const button of this.find(".actions").children) button.disabled = !(can[button.dataset.command] ?? canEdit);
  }

  // Going on says what it does: with a comment written, it flags.
  drawAccept(comment) {
    const words = this.find(".actions .primary span");
    if (words) words.textContent = say(comment ? "flag_and_go" : "accept");
  }

  // ---- the edge ----

  drawStatus(status, done) {
    this.#text(".mine", say("mine", { n: done }));
    if (!status) return;
    const { labelled, pool, worker } = status;
    this.#text(".project", say("done_of", { n: labelled, all: pool }));
    const line = this.find(".pool");
    line.setAttribute("aria-valuemax", pool);
    line.setAttribute("aria-valuenow", labelled);
    line.firstElementChild.style.inlineSize = `${pool ? Math.min(100, (100 * labelled) / pool) : 0}%`;
    const working = worker.state === "training" || worker.state === "scoring";
    const left = working ? timeLeft(worker.seconds_left) : "";
    this.#text(".worker-text", worker.text + (left ? ` · ${left}` : ""));
    this.find(".worker").dataset.state = worker.state;
    this.find(".worker").title = worker.text;
    const bar = this.find(".worker .bar");
    bar.hidden = !working || worker.progress == null;
    bar.firstElementChild.style.inlineSize = `${Math.round(100 * (worker.progress ?? 0))}%`;
  }

  // A save takes some ten milliseconds: saying "saving" at each one would only flicker. It is said when it lasts.
  drawSaved(outbox, sync) {
    clearTimeout(this.savedTimer);
    const [short, state, advice] = savedWords(outbox, sync);
    const say = () => {
      this.#text(".saved", short);
      this.find(".saved").dataset.state = state;
    };
    if (state === "busy" && this.find(".saved").dataset.state === "good") this.savedTimer = setTimeout(say, 400);
    else say();
    return advice;
  }

  drawMeta(item, marked) {
    const reason = item?.sentence.reason;
    const again = item?.sent ? this.#doneWords(item.sent, marked) : "";
    const note = item && !item.sent && item.sentence.note;
    const back = note ? say("sent_back", { by: item.sentence.by, note }) : "";
    this.#text(".reason", again || back || (reason ? say("why_this", { reason }) : ""));
    this.find(".reason").classList.toggle("note", Boolean(back));
    this.#text(".document", item?.sentence.document ?? "");
  }

  #doneWords({ status, comment }, marked) {
    if (!marked) return say("done_already");
    const was = status === "skipped" ? say("skipped_already") : `${say("flagged_already")}${comment ? ` “${comment}”.` : ""}`;
    return `${was} ${say("take_back", { clear: say("clear") })}`;
  }

  drawEmpty(item, sync, status) {
    const empty = this.find(".empty");
    empty.hidden = Boolean(item);
    if (item) return;
    const [headline, advice] = emptyWords(sync, status);
    this.#text(".empty strong", headline);
    this.#text(".empty span", advice);
  }

  // ---- notices: advice on the connection, and each refused annotation until its author is done with it ----

  drawNotices(advice, passing, refused, describe) {
    const notices = [];
    if (advice) notices.push(element("p", "notice warn", advice));
    if (passing) notices.push(element("p", "notice", passing));
    if (refused.size) {
      const list = element("div", "notice bad refused");
      list.append(element("strong", "", say("rejected", { n: refused.size })), ` ${say("rejected_advice")}`);
      for (const [id, { annotation, why }] of refused) {
        const row = element("div", "refusal");
        row.append(element("span", "", `${describe(annotation)}: ${why}`));
        row.append(this.#button("action", "", say("copy"), (event) => this.act.copyRefused(id, event.currentTarget)));
        row.append(this.#button("action", "", say("discard"), () => this.act.discardRefused(id)));
        list.append(row);
      }
      notices.push(list);
    }
    const shown = notices.map((notice) => notice.textContent).join("\n");
    if (shown === this.shownNotices) return; // do not take a button away from under a finger
    this.shownNotices = shown;
    this.find(".notices").replaceChildren(...notices);
  }

  // ---- help ----

  drawHelp(labels) {
    const list = element("dl");
    const row = (keys, meaning) => {
      const term = element("dt");
      for (const key of keys.split(" ")) term.append(key === "+" ? "+" : keyCap(key));
      list.append(term, element("dd", "", meaning));
    };
    for (const label of labels) if (label.key) row(label.key, label.description ? `${label.name}: ${label.description}` : label.name);
    for (const [command, keys] of COMMAND_HELP) row(keys, say(`key_${command}`));
    this.find(".help").replaceChildren(element("h2", "", say("keys")), list);
  }

  speak(text) {
    this.find(".spoken").textContent = text;
  }

  #text(selector, text) {
    const target = this.find(selector);
    if (target.textContent !== text) target.textContent = text;
  }
}
