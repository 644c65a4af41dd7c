// Span arithmetic. Pure functions on plain data, no DOM, no state.
//
// A span is {start, end, label} over token positions, end exclusive, as everywhere in the tool. A span the tagger
// proposed also has `suggested: true` and `confidence` (0 to 1), a known name `suggested: true` and `source`: "list", or
// "seen" with the sentence `seenIn`. What a person made or touched has none of these.
// Lists of spans are ordered, never overlap and are never changed in place, so an undo step is a reference.

const overlaps = (span, start, end) => span.start < end && start < span.end;

// [PER 0-2] without 1-3 -> []: a span that is touched goes as a whole, half a name is no name.
const withoutRange = (spans, start, end) => spans.filter((span) => !overlaps(span, start, end));

const withSpan = (spans, span) =>
  [...withoutRange(spans, span.start, span.end), span].sort((a, b) => a.start - b.start);

const spanAt = (spans, position) => spans.find((span) => span.start <= position && position < span.end) ?? null;

// The next or previous span seen from the selection, going round at the ends.
const spanAfter = (spans, position) => spans.find((span) => span.start > position) ?? spans[0] ?? null;
const spanBefore = (spans, position) =>
  spans.findLast((span) => span.start < position) ?? spans[spans.length - 1] ?? null;

const sameSpan = (a, b) => a.start === b.start && a.end === b.end && a.label === b.label;
const sameSpans = (a, b) => a.length === b.length && a.every((span, i) => sameSpan(span, b[i]));

// What travels to the server: [[start, end, label], ...].
const plainSpans = (spans) => spans.map(({ start, end, label }) => [start, end, label]);

// The suggestions of a sentence as spans to start from. A label the project no longer has cannot be saved: left out.
function suggestedSpans(sentence, labels) {
  const known = new Set(labels.map((label) => label.name));
  const byTagger = sentence.suggestions.map(([start, end, label, confidence]) => ({ start, end, label, confidence }));
  const byName = sentence.names?.map(([start, end, label, source, seenIn]) => ({ start, end, label, source, seenIn }));
  return [...byTagger, ...(byName ?? [])]
    .filter(({ label }) => known.has(label))
    .map((span) => ({ ...span, suggested: true }))
    .sort((a, b) => a.start - b.start);
}

// Whether a space follows a token. Without flags every token but the last is followed by one.
const spaceAfter = (sentence, position) =>
  position < sentence.tokens.length - 1 && (sentence.spaces ? sentence.spaces[position] : true);

const wordsBetween = (sentence, start, end) => {
  let text = "";
  for (let i = start; i < end; i++) text += sentence.tokens[i] + (i < end - 1 && spaceAfter(sentence, i) ? " " : "");
  return text;
};

const percent = (confidence) => `${Math.round(confidence * 100)} %`;
