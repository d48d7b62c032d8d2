/* The form: a field for each property of the request, and what was refused beside it. */

const MOST_FIELDS = 8; // that stand in front; the others unfold
const FILES = "image/*,.tif,.tiff,.pgm,.ppm,.pbm,.pnm,.mpo";
const imageFields = named(requestSchema, "image"), searchField = named(requestSchema, "search")[0];
const inExample = name => Object.hasOwn(data.example, name);
/* Without a prototype: a column may be called “constructor”. */
const exampleBody = () => Object.assign(Object.create(null), structuredClone(data.example));
let body = exampleBody(), rawMode = false;
let sent = body; // what the answer that is shown answers
/* The id of a field's part; a name may hold spaces, an id in a list of ids may not. */
const idOf = (part, name) => `${part}-${encodeURIComponent(name)}`;
const unread = new Map(); // field -> why its text cannot be sent

function set(name, value) {
  unread.delete(name);
  if (value === undefined) delete body[name];
  else body[name] = value;
}

/* In front stand the search field alone, else what is required or in the example. */
function isInFront(name) {
  if (searchField) return name === searchField;
  return inExample(name) || (data.request.required || []).includes(name);
}
function showFields() {
  const names = Object.keys(requestSchema), optional = name => !(data.request.required || []).includes(name);
  const front = names.filter(isInFront).sort((one, other) => optional(one) - optional(other)).slice(0, MOST_FIELDS);
  const further = names.filter(name => !front.includes(name));
  byId("front").replaceChildren(...front.map(fieldOf));
  byId("more").replaceChildren(...further.map(fieldOf));
  byId("further").hidden = !further.length;
  byId("further").firstElementChild.textContent = `${further.length} more field${further.length > 1 ? "s" : ""}`;
}
function fieldOf(name) {
  const schema = requestSchema[name], input = inputFor(name, schema), isImage = schema.format === "image";
  const about = isImage ? "PNG, JPEG, WebP, BMP, GIF, TIFF or PGM" : schema.description || "";
  const optional = (data.request.required || []).includes(name) ? "" : "optional";
  const hint = [optional, kindOf(schema), about].filter(Boolean).join(" · ");
  input.id = idOf("field", name);
  input.setAttribute("aria-describedby", `${idOf("hint", name)} ${idOf("refused", name)}`);
  const parts = [
    make("label", { htmlFor: input.id, textContent: words(name) }),
    make("small", { id: idOf("hint", name), textContent: hint }),
    isImage ? dropZone(name, input) : input,
    make("div", { className: "refused", id: idOf("refused", name) }),
  ];
  const isWide = isImage || input.tagName === "TEXTAREA" || input.value.length > 16;
  const kind = schema.type === "boolean" ? " tick" : name === searchField ? " search" : isWide ? " wide" : "";
  return make("div", { className: "field" + kind }, ...parts);
}
const isLines = schema => schema.type === "array" && ["string", "integer"].includes(resolve(schema.items || {}, data.request).type);
const isJson = schema => !isLines(schema) && ["array", "object"].includes(schema.type);
const kindOf = schema => isLines(schema) ? "one per line" : isJson(schema) ? "JSON" : "";

function inputFor(name, schema) {
  if (schema.format === "image") return make("input", { type: "file", accept: FILES, className: "unseen" });
  if (schema.enum) return choice(name, schema);
  if (schema.type === "boolean") {
    const input = make("input", { type: "checkbox", checked: Boolean(body[name] ?? schema.default) });
    input.onchange = () => set(name, input.checked);
    return input;
  }
  if (schema.type === "integer" || schema.type === "number") {
    const input = make("input", { type: "number", step: schema.type === "integer" ? 1 : "any",
      value: body[name] ?? "", placeholder: schema.default ?? "" });
    input.oninput = () => {
      set(name, input.value === "" ? undefined : Number(input.value));
      if (input.validity.badInput) unread.set(name, "this is not a number");
      else if (schema.type === "integer" && Math.abs(input.value) > Number.MAX_SAFE_INTEGER)
        unread.set(name, "a browser would round so large a number: send it by another client");
    };
    return input;
  }
  if (isLines(schema)) return linesInput(name, schema);
  if (isJson(schema)) return jsonInput(name);
  return textInput(name, schema);
}
function choice(name, schema) {
  const current = body[name] ?? schema.default;
  const input = make("select", {}, ...schema.enum.map(option =>
    make("option", { textContent: String(option), selected: option === current })));
  input.onchange = () => set(name, schema.enum[input.selectedIndex]);
  return input;
}
/* Text; where a number is allowed as well, digits are one if the example has one. */
function textInput(name, schema) {
  const long = String(body[name] ?? "").length > 60 || schema.maxLength > 1000;
  const input = make(long && name !== searchField ? "textarea" : "input", { value: body[name] ?? "", dir: "auto",
    placeholder: schema.default ?? "", spellcheck: false, autocomplete: "off" });
  if (name === searchField) Object.assign(input, { type: "search", enterKeyHint: "search" });
  if (input.tagName === "TEXTAREA") input.rows = 4;
  const numeric = !schema.type && typeof data.example[name] === "number";
  input.oninput = () => {
    if (input.value === "" && !(data.request.required || []).includes(name)) return set(name, undefined);
    set(name, numeric && /^-?\d{1,15}$/.test(input.value) ? Number(input.value) : input.value);
  };
  return input;
}
function linesInput(name, schema) {
  const whole = resolve(schema.items, data.request).type === "integer";
  const input = make("textarea", { value: (body[name] || []).join("\n"), rows: 3, dir: "auto", spellcheck: false });
  input.oninput = () => {
    const lines = input.value.split("\n").map(line => line.trim()).filter(Boolean);
    set(name, lines.length ? lines.map(line => whole && /^-?\d{1,15}$/.test(line) ? Number(line) : line) : undefined);
  };
  return input;
}
function jsonInput(name) {
  const text = body[name] === undefined ? "" : JSON.stringify(body[name], null, 1);
  const input = make("textarea", { value: text, rows: Math.min(8, 2 + text.split("\n").length), spellcheck: false, className: "mono" });
  input.oninput = () => {
    try { set(name, input.value.trim() ? JSON.parse(input.value) : undefined); }
    catch (problem) { unread.set(name, `this is not JSON: ${problem.message}`); }
  };
  return input;
}

/* ---- images ---- */
function dropZone(name, input) {
  const preview = make("span", { className: "preview" });
  const zone = make("label", { className: "drop", htmlFor: idOf("field", name) }, preview,
    make("span", { textContent: "Drop an image here, or choose a file" }), input);
  const show = () => {
    const source = pictureOf(body[name]), unseen = "this browser cannot show the format; the model can";
    const image = make("img", { src: source || "", alt: `the ${words(name)} to send` });
    image.onload = () => image.classList.toggle("small", image.naturalWidth < 112);
    image.onerror = () => preview.replaceChildren(unseen);
    preview.replaceChildren(...(source ? [image] : body[name] ? [unseen] : []));
  };
  const take = file => {
    if (file && !file.size) return showRefusals([{ field: name, message: "the file is empty", remedy: "choose another" }]);
    const reader = new FileReader();
    reader.onload = () => { set(name, String(reader.result).split(",", 2)[1] || ""); show(); ask(); };
    reader.onerror = () => showRefusals([{ field: name, message: "the file cannot be read", remedy: "choose another" }]);
    if (file) reader.readAsDataURL(file);
  };
  input.onchange = () => take(input.files[0]);
  zone.ondragover = event => { event.preventDefault(); zone.classList.add("over"); };
  zone.ondragleave = () => zone.classList.remove("over");
  zone.ondrop = event => { event.preventDefault(); zone.classList.remove("over"); take(event.dataTransfer.files[0]); };
  show();
  return zone;
}

/* ---- the whole body as JSON, images shortened to a placeholder ---- */
const placeholder = text => `(image, ${text.length} characters)`;
const shortened = (name, item) => imageFields.includes(name) && String(item).length > 200 ? placeholder(item) : item;
function fromEditing(text) {
  const edited = JSON.parse(text);
  for (const name of imageFields)
    if (isObject(edited) && typeof body[name] === "string" && edited[name] === placeholder(body[name])) edited[name] = body[name];
  return edited;
}
function readRaw() {
  try {
    const edited = fromEditing(byId("json").value);
    if (!isObject(edited)) return "this is not an object: { … }";
    body = edited;
  } catch (problem) { return `this is not JSON: ${problem.message}`; }
  return "";
}
function switchMode(raw) {
  rawMode = raw;
  unread.clear();
  byId("front").hidden = raw;
  byId("further").hidden = raw;
  byId("raw").hidden = !raw;
  byId("form").classList.toggle("seeking", Boolean(searchField) && !raw);
  byId("toggle").textContent = raw ? "edit as form" : "edit as JSON";
  if (raw) byId("json").value = JSON.stringify(body, shortened, 2);
  else showFields();
  showRefusals([]);
}

/* ---- refusals: each beside the field that it names ---- */
function fieldNamed(path) {
  const fits = name => path === name || [".", "["].includes(path.slice(name.length, name.length + 1));
  const found = Object.keys(requestSchema).filter(name => path.startsWith(name) && fits(name));
  return found.sort((one, other) => other.length - one.length)[0];
}
function showRefusals(refusals) {
  document.querySelectorAll(".refused").forEach(node => node.replaceChildren());
  document.querySelectorAll("[aria-invalid]").forEach(node => node.removeAttribute("aria-invalid"));
  let first = null;
  for (const { field, message, remedy } of refusals) {
    const name = fieldNamed(String(field || "")), input = rawMode ? byId("json") : name && byId(idOf("field", name));
    const place = rawMode ? byId("refused-json") : name ? byId(idOf("refused", name)) : byId("refused");
    const where = field && (rawMode || field !== name) ? `${field}: ` : "";
    place.append(said("p", where + [message, remedy].filter(Boolean).join("; ")));
    if (!input) continue;
    input.setAttribute("aria-invalid", "true");
    first = first || input;
  }
  if (!first) return;
  if (byId("more").contains(first)) byId("further").open = true;
  first.focus();
}
