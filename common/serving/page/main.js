/* Ask the model: on opening with the example, then whenever the form is sent. */

const RETRY_MS = 1000, WATCH_MS = 15000;
let asked = 0; // only the answer to the latest question is shown
let going = new AbortController();

function tell(text) {
  byId("status").textContent = text;
}
/* Its own example the page marks, so that the prediction log does not take it for a real request. */
async function ask(isExample = false) {
  const unsent = rawMode ? readRaw() : "", question = ++asked;
  const problems = [...unread].map(([field, message]) => ({ field, message, remedy: "correct it" }));
  if (unsent || problems.length) return showRefusals(unsent ? [{ field: "", message: unsent, remedy: "correct it" }] : problems);
  going.abort(); // what nobody waits for any more need not be made
  going = new AbortController();
  byId("answered").setAttribute("aria-busy", "true");
  try {
    const start = performance.now(), asking = JSON.stringify(body), { signal } = going;
    const headers = { "content-type": "application/json", ...(isExample ? { "x-example": "1" } : {}) };
    const response = await fetch(data.streams ? "predict/stream" : "predict", { method: "POST", headers, body: asking, signal });
    let first = 0;
    const grow = text => {
      first = first || performance.now() - start;
      if (question === asked) showGrowing(text);
    };
    const isStream = (response.headers.get("content-type") || "").startsWith("text/event-stream");
    const [good, answer] = isStream ? await readEvents(response, grow) : [response.ok, await response.json()];
    if (question !== asked) return;
    sent = JSON.parse(asking);
    await showOutcome(response, good, answer, { spent: performance.now() - start, first });
  } catch (problem) {
    if (question === asked) refuse([{ field: null, message: String(problem.message || problem), remedy: "is the server running?" }], "no answer");
  } finally {
    if (question === asked) byId("answered").setAttribute("aria-busy", "false");
  }
}
async function showOutcome(response, good, answer, { spent, first }) {
  const id = `id ${response.headers.get("x-request-id")}`;
  if (!good) return refuse([answer.error, ...(answer.error.also || [])], `${response.ok ? "broken off" : response.status} · ${id}`);
  showRefusals([]);
  await showAnswer(answer);
  const model = /predict;dur=([\d.]+)/.exec(response.headers.get("server-timing") || "");
  const detail = model ? `, ${milliseconds(Number(model[1]))} of them in the model` : first ? `, first words after ${milliseconds(first)}` : "";
  tell(`answered in ${milliseconds(spent)}${detail}` + ` · ${id}`);
}
function refuse(problems, status) {
  byId("answer").replaceChildren();
  tell(`not answered, see the form · ${status}`);
  showRefusals(problems);
}
async function watchReady() {
  let ready = null;
  try { ready = (await fetch("readyz")).ok; } catch { ready = null; }
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
