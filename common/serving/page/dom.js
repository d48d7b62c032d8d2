"use strict";
/* Nodes made of text, numbers for people, parts of schemas. */

const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
/* What comes from the data may be of any script, and of either direction. */
const said = (tag, text, className = "") => make(tag, { className, dir: "auto", textContent: String(text) });

const isObject = value => value !== null && typeof value === "object" && !Array.isArray(value);
const isNothing = value => value === null || value === undefined || value === ""
  || (Array.isArray(value) && !value.length) || (isObject(value) && !Object.keys(value).length);
const words = name => name.replaceAll("_", " ");

/* Digits as in the report: four places below 1, fewer above; a trace is not written as 0. */
function number(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value)) return value.toLocaleString("en");
  if (size < 0.00005) return value.toPrecision(2);
  const places = size < 1 ? 4 : size < 100 ? 3 : 1;
  return value.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
}
const milliseconds = value => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
/* A writer of numbers that gives a whole column the same number of digits. */
function sameDigits(column) {
  const numbers = column.filter(item => typeof item === "number");
  if (numbers.every(Number.isInteger)) return number;
  const largest = Math.max(...numbers.map(Math.abs)), places = largest <= 1 ? 4 : largest < 100 ? 3 : 1;
  return item => item.toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
}
function percent(share) {
  if (share > 0 && share < 0.0005) return "<0.1%";
  if (share < 1 && share >= 0.9995) return ">99.9%";
  return `${(100 * share).toFixed(1)}%`;
}

/* ---- schemas ---- */
function resolve(schema, root) {
  if (schema.$ref) {
    const { $ref, ...own } = schema;
    return { ...resolve((root.$defs || {})[$ref.split("/").pop()] || {}, root), ...own };
  }
  const { anyOf, ...own } = schema, options = (anyOf || []).filter(option => option.type !== "null");
  return options.length === 1 ? { ...resolve(options[0], root), ...own } : schema;
}
/* The properties of an object's schema, each resolved, by name. */
function propertiesOf(schema, root) {
  return Object.fromEntries(Object.entries(schema.properties || {}).map(([name, raw]) => [name, resolve(raw, root)]));
}
const answerSchema = propertiesOf(data.response, data.response);
const requestSchema = propertiesOf(data.request, data.request);
const itemsOf = schema => propertiesOf(resolve((schema || {}).items || {}, data.response), data.response);
const named = (schemas, format) => Object.keys(schemas).filter(name => schemas[name].format === format);
const firstText = schemas => Object.keys(schemas).find(name => schemas[name].type === "string");

/* ---- colours: neighbours in number are far apart on the wheel ---- */
const hue = place => Math.round(215 + 137.508 * place) % 360;
function rgb(place) {
  const saturation = 0.85, lightness = 0.5 + 0.08 * ((place % 3) - 1), h = hue(place);
  const part = n => {
    const k = (n + h / 30) % 12;
    return Math.round(255 * (lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  };
  return [part(0), part(8), part(4)];
}
const colour = place => `rgb(${rgb(place).join(" ")})`;
function swatch(place) {
  const mark = make("i", { className: "swatch", "aria-hidden": "true" });
  mark.style.background = colour(place);
  return mark;
}
/* A bar from 0 to 1; the number beside it is what a screen reader reads. */
function bar(share, className = "bar") {
  const fill = make("i");
  fill.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  return make("span", { className, "aria-hidden": "true" }, fill);
}

/* ---- images ---- */
const signatures = { png: /^iVBORw0KGgo/, jpeg: /^\/9j\//, gif: /^R0lGOD/, webp: /^UklGR/, bmp: /^Qk/ };
/* An image in base64 as an address, if a browser can show its kind; else null. */
function pictureOf(value) {
  if (typeof value !== "string" || value.length < 30) return null;
  if (/^data:image\/(png|jpeg|gif|webp|bmp);base64,/.test(value)) return value;
  const kind = Object.keys(signatures).find(each => signatures[each].test(value));
  return kind ? `data:image/${kind};base64,` + value : null;
}
