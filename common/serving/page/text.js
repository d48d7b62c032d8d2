/* Texts: labelled parts marked in one, passages with an answer in them, a text beside its source. */

const MOST_SPANS = 1000; // marked in one text
const places = new Map(); // label -> its colour, the same in every answer of this page
const FORMS = { spans: spansOf, quotes: quotesOf, beside: besideOf };

/* The text that a field is about: one that was sent, or a part of the answer. */
function sourceOf(schema, answer, usual = "text") {
  const name = schema.over || usual, found = sent[name] ?? answer[name];
  return typeof found === "string" ? found : "";
}
function placeOf(label) {
  if (!places.has(label)) places.set(label, places.size);
  return places.get(label);
}
const hued = (node, label) => { node.style.setProperty("--hue", hue(placeOf(label))); return node; };

/* A text with parts of it marked. It is cut wherever a span begins or ends, so spans may overlap: the
   shortest of those over a piece colours it, the others underline it. Places count code points. */
function passage(text, spans) {
  const letters = [...text], whole = letters.length;
  const kept = spans.slice(0, MOST_SPANS).map(span => ({ ...span, start: Math.max(0, span.start), end: Math.min(whole, span.end) }))
    .filter(({ start, end }) => start < end).sort((one, other) => one.start - other.start || other.end - one.end);
  const cuts = [...new Set([0, whole, ...kept.flatMap(({ start, end }) => [start, end])])].sort((one, other) => one - other);
  const node = make("p", { className: "passage", dir: "auto", tabIndex: 0 });
  for (let at = 0; at + 1 < cuts.length; at++) {
    const [from, to] = [cuts[at], cuts[at + 1]], over = kept.filter(({ start, end }) => start <= from && end >= to);
    over.sort((one, other) => (one.end - one.start) - (other.end - other.start));
    node.append(piece(letters.slice(from, to).join(""), over));
    for (const { label, end } of over) if (end === to && label) node.append(hued(make("small", { className: "tag", textContent: label }), label));
  }
  return node;
}
function piece(text, over) {
  if (!over.length) return text;
  const [{ label = "" }, ...outer] = over;
  const mark = hued(make("mark", { textContent: text, title: over.map(titleOf).join(" · ") }), label);
  mark.style.boxShadow = outer.map((span, depth) => `0 ${3 + 3 * depth}px 0 ${colour(placeOf(span.label || ""))}`).join(", ");
  return mark;
}
const titleOf = ({ label, score }) => [label, typeof score === "number" ? score.toFixed(2) : ""].filter(Boolean).join(" ");

function spansOf(items, schema, answer) {
  const legend = new Map(), source = sourceOf(schema, answer), schemas = itemsOf(schema);
  for (const { label } of items) legend.set(label, { place: placeOf(label), count: 1 + (legend.get(label)?.count || 0) });
  const more = make("details", {}, make("summary", { textContent: "as a table" }), table(items, schemas));
  const found = items.length ? [legendOf(legend), more] : [make("p", { className: "soft", textContent: "nothing found in it" })];
  return make("figure", { className: "marked" }, passage(source, items), ...found);
}
/* Passages, each below what it is cited by; the best stands there, the others unfold. */
function quotesOf(items, schema, answer) {
  const schemas = itemsOf(schema), [best, ...others] = items.map(item => quote(item, schema, schemas, answer));
  const more = others.length ? [make("details", {}, make("summary", { textContent: `${others.length} more` }), ...others)] : [];
  return make("div", { className: "quotes" }, best, ...more);
}
function quote(item, schema, schemas, answer) {
  const [share] = named(schemas, "share"), cited = named(schemas, "title").map(name => item[name]).filter(part => !isNothing(part));
  const sure = share && !isNothing(item[share]) ? [make("span", { className: "measured" }, bar(item[share]), percent(item[share]))] : [];
  const text = item.passage || sourceOf(schema, answer, "context"), from = item.passage_start || 0;
  const marks = item.start < from ? [] : [{ start: item.start - from, end: item.end - from }];
  return make("article", {}, make("div", { className: "head" }, said("b", item.text || "–"), ...sure),
    make("p", { className: "facts-line soft" }, ...cited.map(part => said("span", part))), passage(text, marks));
}
function besideOf(text, schema, answer, name) {
  const column = (title, content) => make("div", {}, make("h2", { textContent: title }), said("p", content, "passage"));
  return make("div", { className: "twins" }, column(words(schema.over || "text"), sourceOf(schema, answer)), column(words(name), text));
}
/* A passage that is higher than its room is scrolled to what is marked in it. */
function scrollToMarks() {
  for (const node of document.querySelectorAll(".passage")) {
    const mark = node.querySelector("mark");
    if (mark && mark.offsetTop + mark.offsetHeight > node.clientHeight) node.scrollTop = mark.offsetTop - node.clientHeight / 3;
  }
}
