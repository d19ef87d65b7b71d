// The policy editor: draws the bands as they are typed, fetches the preview after a pause, warns before leaving.
// The page works without it; the server checks and counts everything itself.

const form = document.getElementById("policy-form");
const area = document.getElementById("preview-area");
const PAUSE_MS = 500;
let timer = 0;
let asked = null;
let sent = false;

function edge(input) {
  const text = input.value.trim().replace(",", ".");
  const value = Number(text);
  const good = text === "" || (Number.isFinite(value) && value >= 0 && value <= 1);
  input.setAttribute("aria-invalid", String(!good));
  return text === "" || !good ? null : value;
}

function draw(row) {
  const [review, block] = [...row.querySelectorAll("input")].map(edge);
  const blockAt = block ?? 1;
  const reviewAt = Math.min(review ?? blockAt, blockAt);
  const rects = row.querySelectorAll("rect");
  [[0, reviewAt], [reviewAt, blockAt], [blockAt, 1]].forEach(([from, to], at) => {
    rects[at].setAttribute("x", 1000 * from);
    rects[at].setAttribute("width", 1000 * (to - from));
  });
  for (const input of row.querySelectorAll("input")) {
    input.classList.toggle("changed", input.value.trim() !== input.dataset.active);
  }
}

async function preview() {
  asked?.abort();
  asked = new AbortController();
  try {
    const answer = await fetch(form.dataset.preview, {
      method: "POST",
      credentials: "same-origin",
      headers: { "X-Fragment": "1" },
      body: new URLSearchParams(new FormData(form)),
      signal: asked.signal,
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const problem = page.getElementById("error-message");
    area.replaceChildren(...(answer.ok ? page.body.childNodes : problem ? [note(problem.textContent)] : []));
  } catch (error) {
    if (error.name !== "AbortError") area.replaceChildren(note("The preview could not be fetched."));
  }
}

function note(text) {
  const made = document.createElement("p");
  made.className = "problem";
  made.textContent = text;
  return made;
}

form.addEventListener("input", (event) => {
  const row = event.target.closest("tr[data-category]");
  if (row) draw(row);
  if (event.target.id === "reason") return;
  clearTimeout(timer);
  timer = setTimeout(preview, PAUSE_MS);
});
form.addEventListener("submit", (event) => {
  if (event.submitter?.id === "preview") {
    event.preventDefault();
    clearTimeout(timer);
    preview();
  } else {
    sent = true;
  }
});
addEventListener("beforeunload", (event) => {
  if (!sent && form.querySelector("input.changed")) event.preventDefault();
});

// What was typed before this module ran (a slow page, or a form the browser restored) counts too.
form.querySelectorAll("tr[data-category]").forEach(draw);
if (form.querySelector("input.changed")) preview();
