/* The image sent, with the boxes and masks of the answer over it. */

const MOST_LABELS = 40; // boxes whose labels are written beside them; of more the legend tells
const SMALL = 160; // pixels across; such an image is shown enlarged, its pixels as squares
const SVG = "http://www.w3.org/2000/svg";

/* Each object of an answer that has a box: its corners and its label. */
function boxesOf(answer) {
  const found = [];
  for (const name of Object.keys(answerSchema)) {
    const schemas = itemsOf(answerSchema[name]), [box] = named(schemas, "box"), label = firstText(schemas);
    if (!box || !Array.isArray(answer[name])) continue;
    for (const item of answer[name]) found.push({ box: item[box], label: String(item[label] ?? "") });
  }
  return found;
}
/* What the numbers of a mask stand for, where the answer says so: number -> name. */
function classesOf(answer) {
  const found = new Map();
  for (const name of Object.keys(answerSchema)) {
    const schemas = itemsOf(answerSchema[name]), [number] = named(schemas, "mask-value"), label = firstText(schemas);
    if (!number || !Array.isArray(answer[name])) continue;
    for (const item of answer[name]) found.set(item[number], String(item[label] ?? item[number]));
  }
  return found;
}

/* A figure of the image with what the answer draws on it; null where it draws nothing. */
async function drawn(answer) {
  const boxes = boxesOf(answer), [maskField] = named(answerSchema, "mask");
  const mask = maskField && answer[maskField] ? await readMask(answer[maskField]) : null;
  const source = imageFields[0] && body[imageFields[0]];
  if (!source || !(boxes.length || mask)) return null;
  const image = await loaded(pictureOf(source));
  const width = mask ? mask.width : image ? image.naturalWidth : answer.width;
  const height = mask ? mask.height : image ? image.naturalHeight : answer.height;
  if (!(width && height)) return null;
  const layers = make("div", { className: "layers" }), legend = new Map(), classes = classesOf(answer);
  if (mask) layers.append(maskLayer(mask, classes));
  if (boxes.length) layers.append(boxLayer(boxes, width, height, legend));
  const stage = make("div", { className: "stage" }, ...(image ? [image] : []), layers);
  stage.style.setProperty("--w", width);
  stage.style.setProperty("--h", height);
  if (width < SMALL) stage.classList.add("small");
  const unseen = image ? [] : [make("p", { className: "soft", textContent: "This browser cannot show the format of the image: only what was found is drawn." })];
  return make("figure", { className: "seen" }, stage, ...unseen, switchOf(layers), legendOf(legend));
}
function loaded(source) {
  if (!source) return Promise.resolve(null);
  return new Promise(resolve => {
    const image = make("img", { alt: "the image sent" });
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = source;
  });
}
function switchOf(layers) {
  const set = make("fieldset", { className: "switch" }, make("legend", { textContent: "overlay" }));
  for (const [name, opacity] of [["none", 0], ["half", 0.55], ["full", 1]]) {
    const input = make("input", { type: "radio", name: "overlay", value: name, checked: name === "full" });
    input.onchange = () => { layers.style.opacity = opacity; };
    set.append(make("label", {}, input, make("span", { textContent: name })));
  }
  return set;
}
function legendOf(legend) {
  const items = [...legend].map(([name, { place, count }]) =>
    make("li", {}, swatch(place), said("span", name), count ? ` ${number(count)}` : ""));
  return make("ul", { className: "legend", "aria-label": "Legend" }, ...items);
}

/* ---- boxes ---- */
function boxLayer(boxes, width, height, legend) {
  const svg = document.createElementNS(SVG, "svg"), room = byId("answer").clientWidth || 480;
  const unit = width / Math.min(room, width < SMALL ? Math.max(128, 6 * width) : 480 * width / height); // a pixel on the screen
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `${boxes.length} boxes`);
  for (const { box: [x0, y0, x1, y1], label } of boxes) {
    if (!legend.has(label)) legend.set(label, { place: legend.size, count: 0 });
    const known = legend.get(label), stroke = colour(known.place);
    known.count += 1;
    const title = drawing("title", {});
    title.textContent = label;
    const shape = drawing("rect", { x: x0, y: y0, width: Math.max(0, x1 - x0), height: Math.max(0, y1 - y0),
      rx: 2 * unit, fill: stroke, "fill-opacity": 0.08, stroke, "stroke-width": 2 * unit });
    shape.append(title);
    svg.append(shape);
    if (boxes.length > MOST_LABELS) continue;
    const size = 11 * unit, inside = y0 < size + 2 * unit;
    const text = drawing("text", { x: x0 + 2 * unit, y: inside ? y0 + size + unit : y0 - 3 * unit, "font-size": size });
    text.textContent = label.length > 24 ? label.slice(0, 23) + "…" : label;
    svg.append(text);
  }
  return svg;
}
function drawing(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

/* ---- masks ---- */
/* Colour each number; 0 is clear unless it is a class with a name. Edges of objects are solid. */
function maskLayer({ width, height, values }, classes) {
  const canvas = make("canvas", { width, height, role: "img" }), context = canvas.getContext("2d");
  const pixels = context.createImageData(width, height), seen = new Map(), edged = !classes.size && width > 64;
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value === 0 && !classes.has(0)) continue;
    if (!seen.has(value)) seen.set(value, rgb(value));
    pixels.data.set(seen.get(value), 4 * at);
    pixels.data[4 * at + 3] = edged && isEdge(values, at, width) ? 255 : 125;
  }
  context.putImageData(pixels, 0, 0);
  canvas.setAttribute("aria-label", `mask of ${seen.size} ${classes.size ? "classes" : "objects"}`);
  return canvas;
}
function isEdge(values, at, width) {
  const value = values[at], differs = other => other !== undefined && other !== value;
  return (at % width && differs(values[at - 1])) || ((at + 1) % width && differs(values[at + 1]))
    || differs(values[at - width]) || differs(values[at + width]);
}
/* The numbers of a PNG's pixels: a browser's own decoder would turn 16 bits to 8 and lose them. */
async function readMask(encoded) {
  const bytes = Uint8Array.from(atob(encoded), letter => letter.charCodeAt(0)), view = new DataView(bytes.buffer);
  const parts = [];
  for (let at = 8; at < bytes.length; at += 12 + view.getUint32(at)) {
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (kind === "IDAT") parts.push(bytes.subarray(at + 8, at + 8 + view.getUint32(at)));
  }
  const width = view.getUint32(16), height = view.getUint32(20), [depth, channels, , , interlaced] = bytes.subarray(24, 29);
  if (![8, 16].includes(depth) || ![0, 3].includes(channels) || interlaced)
    throw new Error("a mask is a PNG of one channel and of 8 or 16 bits");
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  const rows = unfiltered(new Uint8Array(await new Response(stream).arrayBuffer()), width, height, depth / 8);
  if (depth === 8) return { width, height, values: rows };
  return { width, height, values: Uint16Array.from({ length: width * height }, (_, at) => 256 * rows[2 * at] + rows[2 * at + 1]) };
}
/* Undo the filter that PNG applies to each row (RFC 2083, section 6). */
function unfiltered(raw, width, height, step) {
  const stride = width * step, out = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    const filter = raw[row * (stride + 1)], from = row * (stride + 1) + 1, to = row * stride;
    for (let at = 0; at < stride; at++) {
      const left = at >= step ? out[to + at - step] : 0, above = row ? out[to + at - stride] : 0;
      const corner = row && at >= step ? out[to + at - stride - step] : 0;
      out[to + at] = raw[from + at] + predicted(filter, left, above, corner);
    }
  }
  return out;
}
function predicted(filter, left, above, corner) {
  if (filter < 4) return [0, left, above, (left + above) >> 1][filter];
  const guess = left + above - corner;
  const [a, b, c] = [left, above, corner].map(each => Math.abs(guess - each));
  return a <= b && a <= c ? left : b <= c ? above : corner;
}
