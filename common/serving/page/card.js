/* The head of the page and the model card: three figures, which unfold to all of it. */

function showHead() {
  const card = data.card, notices = card.notices || [];
  byId("name").textContent = card.name.replaceAll("_", " ").replaceAll("/", " / ");
  byId("about").textContent = data.about;
  byId("about-request").textContent = data.request.description || "";
  byId("send").textContent = searchField ? "Search" : "Predict";
  const stacks = Object.values(answerSchema).some(({ format }) => ["results", "shelf"].includes(format));
  byId("form").classList.toggle("seeking", Boolean(searchField));
  byId("main").className = stacks ? "stacked" : "beside";
  for (const text of notices) byId("notices").append(said("p", text, "notice"));
}
/* The rows of the headline, those that the run names as served and as baseline, and the columns. */
function rowsOf(metrics) {
  const rows = isObject(metrics) ? Object.entries(metrics).filter(([, values]) => isObject(values)) : [];
  if (!rows.length) return null;
  const { metric } = data.card, rowOf = wanted => rows.find(([name]) => name === wanted);
  const served = rowOf(data.card.served) || rows[rows.length - 1], baseline = rowOf(data.card.baseline);
  const columns = Object.keys(served[1]).filter(name => !isNothing(served[1][name]));
  columns.sort((one, other) => (other === metric) - (one === metric)); // what the run is judged by comes first
  return { rows, served, baseline, columns };
}
function showCard() {
  const card = data.card, found = rowsOf(card.metrics), figures = byId("figures");
  const write = value => typeof value === "number" ? number(value) : String(value);
  for (const name of found ? found.columns.slice(0, 3) : []) {
    const [base, values] = found.baseline || ["", {}], isBaseline = found.baseline === found.served;
    const beside = isBaseline ? `${base}, the baseline` : isNothing(values[name]) ? "" : `${base}: ${write(values[name])}`;
    figures.append(make("span", { className: "figure" }, said("b", write(found.served[1][name])), said("span", name), said("small", beside)));
  }
  const count = (card.notices || []).length, many = count ? ` · ${count} notice${count > 1 ? "s" : ""}` : "";
  document.querySelector("#card .unfold").textContent = `model card${many}`;
  const dataset = card.dataset || {};
  const facts = { version: card.version, dataset: dataset.name, origin: dataset.origin, size: dataset.rows,
    licence: dataset.licence, trained: (card.created || "").slice(0, 16).replace("T", " "), seed: card.seed };
  for (const [name, value] of Object.entries(facts)) {
    if (!isNothing(value)) byId("facts").append(make("div", {}, make("small", { textContent: name }), said("span", value)));
  }
  if (found) byId("metrics").append(table(found.rows.map(([name, values]) => ({ "": name, ...values }))));
}
