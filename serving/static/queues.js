// Keeps the counts of the queue page fresh by server-sent events, while somebody looks.

const page = document.getElementById("queue-page");
const table = document.getElementById("queues");
let events = null;

function look() {
  if (document.hidden) {
    events?.close();
    events = null;
  } else if (!events) {
    events = new EventSource(page.dataset.events);
    events.onmessage = (event) => update(JSON.parse(event.data));
  }
}

function update({ total, queues }) {
  for (const cell of document.querySelectorAll("[data-total]")) write(cell, total[cell.dataset.total]);
  const rows = new Map([...(table?.tBodies[0].rows ?? [])].map((row) => [row.dataset.queue, row]));
  // A queue that is new to this page needs its button too: the server draws it.
  if (queues.some((queue) => !rows.has(queue.name))) return location.reload();
  const seen = new Map(queues.map((queue) => [queue.name, queue]));
  for (const [name, row] of rows) {
    const queue = seen.get(name) ?? { open: 0, leased: 0, oldest: "–" };
    for (const cell of row.querySelectorAll("[data-cell]")) write(cell, queue[cell.dataset.cell]);
    row.classList.toggle("empty", !queue.open);
    row.querySelector("button").disabled = !queue.open || Boolean(document.getElementById("resume"));
  }
}

function write(cell, value) {
  if (cell.textContent !== String(value)) cell.textContent = value;
}

document.addEventListener("visibilitychange", look);
addEventListener("pagehide", () => events?.close());
look();
