/* The answer: each part as its format says, or else by its type. */

const MOST_ROWS = 200, MOST_CHIPS = 60;
const ENTRY = ["title", "snippet", "facts", "why"];
const restOf = (item, schemas) => Object.entries(item).filter(([name, part]) => !isNothing(part) && !ENTRY.includes((schemas[name] || {}).format));
const nothing = (text = "–") => make("span", { className: "soft", textContent: text });

function shown(item, schema = {}, name = "") {
  if (isNothing(item)) return nothing(Array.isArray(item) ? "none" : "–");
  if (schema.format === "share") return make("span", { className: "measured" }, bar(item), percent(item));
  if (schema.format === "image") return make("img", { src: pictureOf(item) || "", className: "found", alt: words(name) });
  if (typeof item === "number") return make("span", { textContent: number(item) });
  if (typeof item === "boolean") return make("span", { textContent: item ? "yes" : "no" });
  if (Array.isArray(item)) return list(item, schema);
  if (isObject(item)) return pairs(Object.entries(item), propertiesOf(schema, data.response));
  return said("span", item);
}
function pairs(entries, schemas) {
  const pair = ([name, item]) => [said("dt", words(name)), make("dd", {}, shown(item, schemas[name], name))];
  return make("dl", { className: "pairs" }, ...entries.flatMap(pair));
}
/* A list: entries where they have titles, reasons, bars where each has a share, else a table. */
function list(items, schema) {
  const schemas = itemsOf(schema);
  if (!items.every(isObject)) return plainList(items);
  if (named(schemas, "title").length) return entries(items, schemas, schema.format === "shelf");
  if (named(schemas, "why").length) return reasons(items, schemas);
  if (named(schemas, "share").length) return bars(items, schemas);
  return table(items, schemas);
}
function plainList(items) {
  if (items.length > 1 && items.every(item => typeof item === "number"))
    return make("span", { className: "mono", textContent: items.slice(0, 12).map(number).join(", ") + (items.length > 12 ? " …" : "") });
  const chips = items.slice(0, MOST_CHIPS).map(item => said("span", typeof item === "object" ? JSON.stringify(item) : item, "chip"));
  const more = items.length > MOST_CHIPS ? [nothing(`… ${items.length - MOST_CHIPS} more`)] : [];
  return make("span", {}, ...chips, ...more);
}
function cutShort(items, most = MOST_ROWS) {
  return items.length > most ? [make("p", { className: "soft", textContent: `… ${number(items.length - most)} more: see “as JSON”` })] : [];
}

/* ---- entries: results below one another, or cards on a shelf ---- */
function entries(items, schemas, isShelf) {
  const found = items.slice(0, MOST_ROWS).map(item => make("li", {}, entry(item, schemas, isShelf)));
  return make("div", {}, make("ol", { className: isShelf ? "shelf" : "results" }, ...found), ...cutShort(items));
}
function entry(item, schemas, isShelf) {
  const of = format => named(schemas, format).map(name => item[name]).filter(part => !isNothing(part));
  const title = String(of("title")[0] ?? "–"), heading = said("h3", title);
  heading.title = title;
  const parts = [isShelf ? make("div", { className: "cover" }, heading) : heading];
  if (isShelf) parts[0].style.setProperty("--hue", [...title].reduce((sum, letter) => (31 * sum + letter.codePointAt(0)) % 360, 7));
  const facts = of("facts").flatMap(factsOf);
  if (facts.length) parts.push(make("p", { className: "soft facts-line" }, ...facts));
  for (const text of of("snippet")) parts.push(make("p", { className: "snippet", dir: "auto" }, ...marked(String(text))));
  const why = of("why").flat();
  if (why.length) parts.push(make("ul", { className: "why", "aria-label": "Why it is here" }, ...why.map(text => said("li", text))));
  const rest = restOf(item, schemas);
  if (rest.length && isShelf) parts.push(make("details", { className: "rest" }, make("summary", { textContent: "details" }), pairs(rest, schemas)));
  else if (rest.length) parts.push(make("p", { className: "rest facts-line" }, ...rest.map(([name, part]) =>
    make("span", {}, `${words(name)} `, shown(part, schemas[name], name)))));
  return make("article", {}, ...parts);
}
/* A text with the words of the search in bold. */
function marked(text) {
  const typed = (searchField && String(body[searchField] ?? "").match(/[\p{L}\p{M}\p{N}]+/gu)) || [];
  const asked = typed.map(word => /^\w+$/.test(word) ? `\\b${word}\\b` : word); // not all scripts part their words
  if (!asked.length) return [text];
  const parts = text.split(new RegExp(`(${asked.join("|")})`, "iu")); // every other one is a word asked for
  return parts.map((part, place) => place % 2 ? make("mark", { textContent: part }) : part);
}
function factsOf(facts) {
  if (!isObject(facts)) return [said("span", [].concat(facts).join(", "))];
  return Object.entries(facts).map(([name, fact]) => make("span", {}, make("small", { textContent: words(name) + " " }), said("bdi", fact)));
}

/* ---- reasons and bars ---- */
function reasons(items, schemas) {
  const [why] = named(schemas, "why"), [weight] = named(schemas, "weight");
  const largest = Math.max(...items.map(item => Math.abs(item[weight] || 0)));
  const rows = items.slice(0, MOST_ROWS).map(item => {
    const row = make("li", {}, said("span", item[why]));
    if (typeof item[weight] !== "number") return row;
    const sign = item[weight] < 0 ? "−" : "+", text = sign + Math.abs(item[weight]).toFixed(2);
    const mark = bar(Math.abs(item[weight]) / (largest || 1), `bar ${item[weight] < 0 ? "lower" : ""}`);
    row.append(make("span", { className: "measured", title: words(weight) }, mark, text));
    return row;
  });
  return make("div", {}, make("ul", { className: "reasons" }, ...rows), ...cutShort(items));
}
function bars(items, schemas) {
  const label = firstText(schemas), [share] = named(schemas, "share"), [place] = named(schemas, "mask-value");
  const others = Object.keys(schemas).filter(name => ![label, share, place].includes(name) && schemas[name].format !== "box");
  const rows = items.slice(0, MOST_ROWS).map(item => make("li", {},
    make("span", { className: "name" }, ...(place ? [swatch(item[place])] : []), said("bdi", item[label] ?? "–"),
      ...others.map(name => make("small", {}, ` ${words(name)} `, shown(item[name], schemas[name], name)))),
    bar(item[share]), make("span", { className: "count", textContent: percent(item[share]) })));
  const found = make("div", {}, make("ol", { className: "bars" }, ...rows), ...cutShort(items));
  if (items.length <= 12 || !named(schemas, "box").length) return found;
  return make("details", {}, make("summary", { textContent: `all ${number(items.length)}` }), found);
}
function table(rows, schemas = {}) {
  const names = [...new Set(rows.flatMap(Object.keys))].filter(name => rows.some(row => !isNothing(row[name])));
  const numeric = name => rows.every(row => isNothing(row[name]) || typeof row[name] === "number" || /^[\d.,]+ ?%$/.test(row[name]));
  const digits = Object.fromEntries(names.map(name => [name, sameDigits(rows.map(row => row[name]))]));
  const align = name => ({ className: numeric(name) ? "number" : "" });
  const head = make("tr", {}, ...names.map(name => make("th", { ...align(name), scope: "col", dir: "auto", textContent: words(name) })));
  const cell = (row, name) => typeof row[name] === "number" && (schemas[name] || {}).format !== "share"
    ? digits[name](row[name]) : shown(row[name], schemas[name], name);
  const lines = rows.slice(0, MOST_ROWS).map(row => make("tr", {}, ...names.map(name => make("td", align(name), cell(row, name)))));
  const whole = make("table", {}, make("thead", {}, head), make("tbody", {}, ...lines));
  const scroll = make("div", { className: "scroll", tabIndex: 0, role: "region", "aria-label": `table of ${names.length} columns` }, whole);
  return make("div", {}, scroll, ...cutShort(rows));
}

/* ---- the whole answer ---- */
async function showAnswer(answer) {
  const { model_version: _, stage_ms: stages, ...rest } = isObject(answer) ? answer : { answer };
  const figure = await drawn(rest), parts = [], left = [];
  const schemas = Object.keys(rest).map(name => [name, answerSchema[name] || {}]);
  const isPage = schemas.some(([, { format }]) => ["results", "shelf"].includes(format));
  const verdicts = schemas.filter(([name, { format, nothing: none }]) => ["verdict", "share"].includes(format) && (none || !isNothing(rest[name])));
  const isText = schemas.some(([, { format }]) => format in FORMS);
  for (const [name, { format, description }] of schemas)
    if (format === "notice" && rest[name]) parts.push(make("p", { className: "notice", textContent: description || words(name) }));
  if (verdicts.length) parts.push(headline(verdicts, rest));
  if (figure) parts.push(figure);
  for (const [name, schema] of schemas) {
    const item = rest[name];
    if (["verdict", "share", "mask", "notice"].includes(schema.format)) continue;
    if (schema.format === "spans" || (schema.format in FORMS && !isNothing(item))) parts.push(FORMS[schema.format](item || [], schema, rest, name));
    else if (Array.isArray(item) && item.length) parts.push(make("h2", { textContent: words(name) }), list(item, schema));
    else if (figure && isObject(item) && !isNothing(item)) parts.push(make("h2", { textContent: words(name) }), shown(item, schema, name));
    else if (Array.isArray(item) && ["results", "shelf"].includes(schema.format)) parts.push(nothing("nothing found"));
    else if (!isNothing(item)) left.push([name, item]);
  }
  const more = left.length && figure ? [make("details", {}, make("summary", { textContent: "further fields" }), pairs(left, answerSchema))] : [];
  if (left.length && !figure) parts[verdicts.length || isPage || isText ? "push" : "unshift"](pairs(left, answerSchema));
  if (isObject(stages) && Object.keys(stages).length) {
    const text = Object.entries(stages).map(([name, ms]) => `${words(name)} ${milliseconds(ms)}`).join("  ·  ");
    parts.push(make("p", { className: "stages", textContent: text }));
  }
  byId("answer").replaceChildren(...parts, make("div", { className: "folds" }, ...more, asJson(answer), asCommand()));
  scrollToMarks();
}
/* What was decided, large, and how sure that is. */
function headline(verdicts, answer) {
  const order = [...verdicts].sort(([, one], [, other]) => (one.format === "share") - (other.format === "share"));
  const parts = order.map(([name, schema]) => {
    const item = answer[name], label = make("small", { textContent: schema.description || words(name) });
    if (isNothing(item)) return make("div", { className: "verdict none" }, label, make("b", { textContent: schema.nothing }));
    if (schema.format === "share") return make("div", { className: "share" }, label, bar(item), make("b", { textContent: percent(item) }));
    const mood = !schema.alarm ? "" : schema.alarm.includes(item) ? " alarm" : " calm";
    return make("div", { className: "verdict" + mood }, label, said("b", typeof item === "number" ? number(item) : item));
  });
  return make("div", { className: "headline" }, ...parts);
}
function fold(title, text) {
  return make("details", {}, make("summary", { textContent: title }), make("pre", { textContent: text, tabIndex: 0 }));
}
function asJson(answer) {
  return fold("as JSON", JSON.stringify(answer, (key, item) => typeof item === "string" && item.length > 300 ? item.slice(0, 60) + "…" : item, 2));
}
/* The request as a command; an image is read from a file there, since it would fill pages here. */
function asCommand() {
  const text = JSON.stringify(sent, (name, item) => imageFields.includes(name) && item ? "IMAGE" : item).replaceAll("'", "'\\''");
  const command = `curl -s ${new URL("predict", location.href)} -H 'content-type: application/json' -d `;
  const given = text.includes('"IMAGE"') ? `@- <<< '${text.replaceAll('"IMAGE"', `"'"$(base64 < photo.png | tr -d '\\n')"'"`)}'` : `'${text}'`;
  return fold("as a command", command + (given.length > 4000 ? given.slice(0, 4000) + "…" : given));
}
