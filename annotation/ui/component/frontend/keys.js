// Which key does what. Pure: a key press in, the name of a command out.

// [command, keys as people read them], in the order of the help; what it does stands in the words under key_<command>.
const COMMAND_HELP = [
  ["move", "← →"],
  ["extend", "Shift + ← →"],
  ["span", "↑ ↓"],
  ["ends", "Home End"],
  ["accept", "Enter"],
  ["clear", "⌫ X"],
  ["undo", "U Ctrl + Z"],
  ["redo", "Shift + U"],
  ["previous", "P"],
  ["skip", "S"],
  ["not_sentence", "Shift + S"],
  ["flag", "F"],
  ["guidelines", "G"],
  ["help", "?"],
];

const NAMED_KEYS = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "previousSpan",
  ArrowDown: "nextSpan",
  Home: "home",
  End: "end",
  Enter: "accept",
  Backspace: "clear",
  Delete: "clear",
  Escape: "escape",
  "?": "help",
};
const LETTER_KEYS = { x: "clear", u: "undo", p: "previous", s: "skip", f: "flag", g: "guidelines" };

const SHIFTED = { undo: "redo", skip: "notSentence" };

// Streamlit reruns the page on R and clears its caches on C; while the editor is on the page they must do neither.
const STREAMLIT_KEYS = new Set(["r", "c"]);

// The command of a key press as {name, label?, extend?}, or null if it is not for the editor.
//
// Ctrl, Alt and Meta belong to the browser, but for the undo and redo everybody knows. A label's own key wins over
// a command letter, so that what a chip shows is always true. Keyboards that write another script have no Latin
// letters and perhaps no ASCII digits: there the place of the key counts.
function commandOf(event, labels) {
  if (event.isComposing || event.keyCode === 229) return null;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.altKey) return null;
    const letter = event.key.toLowerCase();
    if (letter === "z") return { name: event.shiftKey ? "redo" : "undo" };
    return letter === "y" ? { name: "redo" } : null;
  }
  const typed = [event.key];
  if (event.key.length === 1) {
    typed.push(event.key.toLowerCase());
    const place = /^(?:Digit|Numpad|Key)([0-9A-Z])$/.exec(event.code ?? "");
    const foreign = event.key.codePointAt(0) > 127;
    if (place && (foreign || (/[0-9]/.test(place[1]) && !event.shiftKey))) typed.push(place[1].toLowerCase());
  }
  for (const key of typed) {
    const label = labels.find((candidate) => candidate.key && candidate.key === key);
    if (label) return { name: "label", label: label.name };
    if (NAMED_KEYS[key]) return { name: NAMED_KEYS[key], extend: event.shiftKey };
    if (LETTER_KEYS[key]) {
      const name = LETTER_KEYS[key];
      return { name: (event.shiftKey && SHIFTED[name]) || name };
    }
  }
  return typed.some((key) => STREAMLIT_KEYS.has(key)) ? { name: "nothing" } : null;
}
