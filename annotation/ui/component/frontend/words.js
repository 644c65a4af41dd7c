// The words of the interface, in the language of whoever labels: they come with the data (annotation/ui/words).
let WORDS = {};

// The words by a key, with what is given put into their gaps: "{n} by you" and {n: 3} make "3 by you".
function say(key, given = {}) {
  return (WORDS[key] ?? key).replace(/\{(\w+)\}/g, (gap, name) => given[name] ?? gap);
}

// Bring a language into the fixed parts of the editor. Whether it was another one before.
function useWords(words, ui) {
  const changed = WORDS.direction !== words.direction || WORDS.accept !== words.accept || !ui.dir;
  WORDS = words;
  if (!changed) return false;
  ui.dir = words.direction;
  for (const place of ui.querySelectorAll("[data-say]")) place.textContent = say(place.dataset.say);
  for (const place of [ui, ...ui.querySelectorAll("[data-say-label]")]) place.setAttribute("aria-label", say(place.dataset.sayLabel));
  return true;
}
