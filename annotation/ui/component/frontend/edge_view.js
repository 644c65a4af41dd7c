// Draws what surrounds the sentence: progress, worker, saved or not, buttons, help, notices.

// The words for where the work is: [short, state for the colour, what to do or ""].
function savedWords(outbox, sync) {
  const n = outbox.size;
  const unsent = `${n} unsent annotation${n === 1 ? "" : "s"}`;
  if (outbox.broken)
    return [
      n ? `${n} not saved yet` : "Saved",
      n ? "bad" : "warn",
      "This browser keeps nothing for us (its storage is blocked or full). Keep this tab open until everything is saved.",
    ];
  switch (sync.state) {
    case "ended":
      return ["Session ended", "bad", `Your session ended. Reload the page; your ${n ? unsent : "work"} ${n > 1 ? "are" : "is"} kept.`];
    case "gone":
      return ["Project gone", "bad", `This project no longer exists.${n ? ` Your ${unsent} ${n === 1 ? "stays" : "stay"} in this browser.` : ""}`];
    case "refused":
      return ["Not connected", "bad", `The server did not take the work of this page${sync.problem ? `: ${sync.problem}` : "."} Reload the page; your work is kept.`];
    case "busy":
      return [n ? `${n} not saved yet` : "Server busy", "warn", n ? `The server has no time just now. Your ${unsent} ${n === 1 ? "is" : "are"} kept in this browser and sent again.` : ""];
    case "offline":
      return [
        n ? `Offline · ${n} not saved yet` : "Offline",
        "bad",
        n
          ? `No connection to the server. Go on: your ${unsent} ${n === 1 ? "is" : "are"} kept in this browser and sent as soon as it is back.`
          : "No connection to the server. Go on: your work is kept in this browser.",
      ];
    default:
      return n ? [`Saving ${n}…`, "busy", ""] : ["All saved", "good", ""];
  }
}

// What to say where there is no sentence: [headline, what to do].
function emptyWords(sync, status) {
  if (!sync.answered || !status) return ["Fetching sentences…", sync.state === "ok" ? "" : "The server does not answer yet."];
  if (!status.pool && !status.evaluation)
    return ["No sentences yet", "Import a file on the Data page; the first sentence appears here by itself."];
  if (!status.left)
    return ["Everything is done", "See the result on the Dashboard, or import more sentences on the Data page."];
  return ["Nothing to do right now", "The sentences left are open with others. New ones appear here by themselves."];
}

function timeLeft(seconds) {
  if (seconds == null) return "";
  return seconds < 60 ? "less than a minute left" : `about ${Math.round(seconds / 60)} min left`;
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
      ["undo", "U", "Undo", ""],
      ["clear", "X", "Clear", ""],
      ["skip", "S", "Skip", ""],
      ["flag", "F", "Flag", ""],
      ["help", "?", "Keys", "keys-only"],
      ["accept", "Enter", "Save and next", "primary"],
    ];
    const buttons = actions.map(([command, key, text, className]) => {
      const button = this.#button(`action ${className}`, key, text, () => this.act[command]());
      button.dataset.command = command;
      return button;
    });
    this.find(".actions").replaceChildren(...buttons);
  }

  #button(className, key, text, onClick) {
    const button = element("button", className);
    button.type = "button";
    if (key) {
      button.append(element("kbd", "", key === "Enter" ? "⏎" : key));
      button.setAttribute("aria-keyshortcuts", key);
    }
    button.append(element("span", "", text));
    button.addEventListener("mousedown", (event) => event.preventDefault()); // the sentence keeps the focus
    button.addEventListener("click", onClick);
    return button;
  }

  // Mark the label of the selected span on its chip, and switch off what cannot be done.
  drawSelected(label, canEdit, canUndo) {
    for (const chip of this.chips) {
      chip.setAttribute("aria-pressed", chip.dataset.label === label);
      chip.disabled = !canEdit;
    }
    for (const button of this.find(".actions").children) {
      const { command } = button.dataset;
      button.disabled = command === "undo" ? !canUndo : command !== "help" && !canEdit;
    }
  }

  // ---- the edge ----

  drawStatus(status, done) {
    this.#text(".mine", `${done} by you`);
    if (!status) return;
    const { labelled, pool, worker } = status;
    this.#text(".project", `${labelled} of ${pool} labelled`);
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

  drawMeta(item) {
    const reason = item?.sentence.reason;
    const again = item?.sent ? "You have done this one. Enter saves a change, Shift + U goes on." : "";
    this.#text(".reason", again || (reason ? `Why this sentence: ${reason}` : ""));
    this.#text(".document", item?.sentence.document ?? "");
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
      const n = refused.size;
      list.append(element("strong", "", `${n} annotation${n === 1 ? " was" : "s were"} refused and ${n === 1 ? "is" : "are"} not saved.`));
      list.append(" The sentence comes back to be corrected where that is possible. Copy this for your project lead if in doubt.");
      for (const [id, { annotation, why }] of refused) {
        const row = element("div", "refusal");
        row.append(element("span", "", `${describe(annotation)}: ${why}`));
        row.append(this.#button("action", "", "Copy", (event) => this.act.copyRefused(id, event.currentTarget)));
        row.append(this.#button("action", "", "Discard", () => this.act.discardRefused(id)));
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
      for (const key of keys.split(/ (?:or )?/)) term.append(key === "+" ? "+" : element("kbd", "", key));
      list.append(term, element("dd", "", meaning));
    };
    for (const label of labels) if (label.key) row(label.key, label.description ? `${label.name}: ${label.description}` : label.name);
    for (const [, keys, meaning] of COMMAND_HELP) row(keys, meaning);
    this.find(".help").replaceChildren(element("h2", "", "Keys"), list);
  }

  speak(text) {
    this.find(".spoken").textContent = text;
  }

  #text(selector, text) {
    const target = this.find(selector);
    if (target.textContent !== text) target.textContent = text;
  }
}
