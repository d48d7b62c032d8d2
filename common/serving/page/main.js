/* Ask /predict: on opening with the example, then whenever the form is sent. */

const RETRY_MS = 1000, WATCH_MS = 15000;
let asked = 0; // only the answer to the latest question is shown

function tell(text) {
  byId("status").textContent = text;
}
/* Its own example the page marks, so that the prediction log does not take it for a real request. */
async function ask(isExample = false) {
  const unsent = rawMode ? readRaw() : "", question = ++asked;
  const problems = [...unread].map(([field, message]) => ({ field, message, remedy: "correct it" }));
  if (unsent || problems.length) return showRefusals(unsent ? [{ field: "", message: unsent, remedy: "correct it" }] : problems);
  byId("answered").setAttribute("aria-busy", "true");
  try {
    const start = performance.now();
    const headers = { "content-type": "application/json", ...(isExample ? { "x-example": "1" } : {}) };
    const response = await fetch("/predict", { method: "POST", headers, body: JSON.stringify(body) });
    const answer = await response.json(), spent = performance.now() - start;
    if (question === asked) await showOutcome(response, answer, spent);
  } catch (problem) {
    if (question === asked) refuse([{ field: null, message: String(problem.message || problem), remedy: "is the server running?" }], "no answer");
  } finally {
    if (question === asked) byId("answered").setAttribute("aria-busy", "false");
  }
}
async function showOutcome(response, answer, spent) {
  const id = `id ${response.headers.get("x-request-id")}`;
  if (!response.ok) return refuse([answer.error, ...(answer.error.also || [])], `${response.status} · ${id}`);
  showRefusals([]);
  await showAnswer(answer);
  const model = /predict;dur=([\d.]+)/.exec(response.headers.get("server-timing") || "");
  tell(`answered in ${milliseconds(spent)}` + (model ? `, ${milliseconds(Number(model[1]))} of them in the model` : "") + ` · ${id}`);
}
function refuse(problems, status) {
  byId("answer").replaceChildren();
  tell(`not answered, see the form · ${status}`);
  showRefusals(problems);
}
async function watchReady() {
  let ready = null;
  try { ready = (await fetch("/readyz")).ok; } catch { ready = null; }
  const state = ready ? "ready" : ready === false ? "warming up" : "not reachable";
  if (byId("ready").textContent !== state) byId("ready").textContent = state; // a change is read aloud
  byId("ready").classList.toggle("yes", Boolean(ready));
  if (ready && !asked) ask(true);
  if (!ready && !asked) tell("The model is warming up; the example is sent as soon as it is ready.");
  setTimeout(watchReady, ready ? WATCH_MS : RETRY_MS);
}
byId("form").onsubmit = event => { event.preventDefault(); ask(); };
byId("form").onkeydown = event => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); ask(); }
};
byId("toggle").onclick = () => {
  const problem = rawMode ? readRaw() : "";
  if (problem) showRefusals([{ field: "", message: problem, remedy: "correct it" }]);
  else switchMode(!rawMode);
};
byId("reset").onclick = () => { body = exampleBody(); switchMode(rawMode); ask(true); };
showHead();
showFields();
showCard();
watchReady();
