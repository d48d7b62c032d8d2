/* An answer that grows: the events of /predict/stream, which are asked by POST. */

/* Return whether it was answered, and the response or the error; `grow` gets the text so far. */
async function readEvents(response, grow) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "", text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the answer broke off");
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const each of events) {
      const [, kind, content] = /^event: (\w+)\ndata: ([^]*)$/.exec(each), found = JSON.parse(content);
      if (kind !== "piece") return [kind === "response", found];
      text += found.text;
      grow(text);
    }
  }
}
function showGrowing(text) {
  const [node] = byId("answer").getElementsByClassName("growing");
  if (node) node.textContent = text;
  else byId("answer").replaceChildren(said("p", text, "growing"));
}
