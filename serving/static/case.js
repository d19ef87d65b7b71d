// The case page: one key per step of a judgement, a draft that survives, and nothing sent twice.
// It knows the keys and the form; drafts, leases, texts and calls each have a module of their own.

import { Draft, isEmpty } from "./draft.js";
import { Refused, send } from "./forms.js";
import { Lease } from "./lease.js";
import { passageOf } from "./passage.js";

const $ = (id) => document.getElementById(id);
const page = $("case").dataset;
const form = $("judgement");
const draft = new Draft(page.reviewer, page.case);
const address = `${page.base}/cases/${encodeURIComponent(page.case)}`;
const masked = [...$("passage").childNodes];
const maskedContext = [...($("answered")?.childNodes ?? [])];
const rows = [...document.querySelectorAll(".label-row")];

let current = rows[0];
let sending = false;
let leaving = false;
let armed = "";
let unreached = false;

// ── The judgement ────────────────────────────────────────────────────────────────────────────────────────────────

function judgement() {
  const labels = {};
  for (const row of rows) {
    const chosen = row.querySelector("input:checked");
    if (chosen) labels[row.dataset.category] = chosen.value;
  }
  const harmful = Object.values(labels).includes("yes");
  const severity = form.elements.severity.value;
  return {
    labels,
    outcome: form.elements.outcome.value,
    severity: harmful && severity ? Number(severity) : null,
    reason: form.elements.reason.value,
    note: form.elements.note.value.trim(),
  };
}

function fill(kept) {
  for (const row of rows) check(row, kept.labels[row.dataset.category]);
  for (const name of ["outcome", "severity"]) {
    for (const input of form.elements[name]) input.checked = input.value === String(kept[name] ?? "");
  }
  form.elements.reason.value = kept.reason ?? "";
  form.elements.note.value = kept.note ?? "";
  $("more").open ||= Boolean(kept.reason || kept.note);
  changed();
}

function check(row, value) {
  for (const input of row.querySelectorAll("input")) input.checked = input.value === value;
}

function changed() {
  const now = judgement();
  $("severity").hidden = !Object.values(now.labels).includes("yes");
  const others = Object.entries(now.labels).filter(([name]) => !isDeciding(name));
  $("others-set").textContent = others.map(([name, value]) => `${name.replace("_", "-")}: ${value}`).join(", ");
  if (others.length) $("others").open = true;
  $("problem").textContent = "";
  armed = "";
  if (!leaving) draft.keep(now);
}

function isDeciding(category) {
  return rows[0].classList.contains("deciding") && rows[0].dataset.category === category;
}

function missing(now) {
  if (!Object.keys(now.labels).length) return ["Say whether it is there: Y, N or U.", rows[0].querySelector("input")];
  if (Object.values(now.labels).includes("yes") && !now.severity) {
    return ["How severe is it? 1 to 7.", form.elements.severity[0]];
  }
  if (!now.outcome) return ["Choose an outcome: A or B.", form.elements.outcome[0]];
  return null;
}

// ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function submit(stop) {
  if (sending || leaving) return;
  const now = judgement();
  const lack = missing(now);
  if (lack) {
    $("problem").textContent = lack[0];
    lack[1].focus();
    return;
  }
  const body = { ...now, lease_token: page.lease, queue: page.queue, stop };
  if (!body.reason) delete body.reason;
  if (!body.note) delete body.note;
  if (body.severity === null) delete body.severity;
  await act("reviews", body, { "Idempotency-Key": page.idempotencyKey });
}

async function leave(action) {
  if (sending || leaving) return;
  if (!isEmpty(judgement()) && armed !== action) {
    armed = action;
    say("Your draft would not be sent. Press once more to leave all the same.");
    return;
  }
  const body = action === "release" ? { lease_token: page.lease } : { lease_token: page.lease, queue: page.queue };
  await act(action, body);
}

async function act(action, body, headers) {
  busy(true);
  say("Sending…");
  try {
    const answer = await send(`${address}/${action}`, body, headers);
    leaving = true;
    if (action !== "release") draft.forget();
    lease.end();
    // A case that has been sent is no place to come back to: Back leads to where the person came from.
    location.replace(answer.location);
  } catch (error) {
    busy(false);
    failed(error);
  }
}

function failed(error) {
  say("");
  if (!(error instanceof Refused)) throw error;
  if (error.code === "lease_lost") return lost();
  if (error.code === "idempotency_conflict") return sentBefore();
  if (error.status === 401) {
    hideAgain();
    return tell("session-over");
  }
  $("problem").textContent = error.field ? `${error.message} (${error.field})` : error.message;
}

function lost() {
  draft.keep(judgement());
  over("ended");
  tell("lease-lost");
}

// An answer was lost on its way, the judgement was not: it stands, and the case is done.
function sentBefore() {
  draft.forget();
  over("sent");
  tell("sent-before");
}

function over(word) {
  lease.end();
  hideAgain();
  leaving = true;
  $("lease").classList.add("over");
  $("lease-left").textContent = word;
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  $("reveal").disabled = true;
}

function tell(notice) {
  $("problem").textContent = "";
  $(notice).hidden = false;
  $(notice).focus();
}

function busy(on) {
  sending = on;
  form.setAttribute("aria-busy", String(on));
  for (const button of form.querySelectorAll("button")) button.disabled = on;
}

function say(text) {
  $("status").textContent = text;
}

// ── The text ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function toggleText() {
  if ($("reveal").getAttribute("aria-expanded") === "true") return hideAgain();
  if (sending || leaving) return;
  $("reveal").disabled = true;
  try {
    const { pieces, context } = await send(`${address}/reveal`, { lease_token: page.lease });
    $("passage").replaceChildren(...passageOf(pieces));
    if (context) $("answered")?.replaceChildren(...passageOf(context));
    shown(true);
    toDeciding();
  } catch (error) {
    failed(error);
  } finally {
    $("reveal").disabled = leaving;
  }
}

function hideAgain() {
  $("passage").replaceChildren(...masked);
  $("answered")?.replaceChildren(...maskedContext);
  shown(false);
}

// In a long text the part that decided may lie far down.
function toDeciding() {
  const part = $("passage").querySelector(".mask, mark");
  if (!part) return;
  const [at, frame] = [part.getBoundingClientRect(), $("passage").getBoundingClientRect()];
  const below = at.top - frame.top;
  if ($("passage").scrollHeight > $("passage").clientHeight) $("passage").scrollTop += below - frame.height / 4;
}

function turn(pages) {
  const room = $("passage");
  if (room.scrollHeight <= room.clientHeight) return false;
  room.scrollTop += pages * room.clientHeight * 0.85;
  return true;
}

function shown(on) {
  $("reveal").setAttribute("aria-expanded", String(on));
  $("reveal").firstChild.textContent = on ? "Hide it again " : "Show what is hidden ";
}

// ── The keys ─────────────────────────────────────────────────────────────────────────────────────────────────────

const LABELS = { y: "yes", n: "no", u: "unsure" };
const OUTCOMES = { a: "allow", b: "block" };
const AWAY = { s: "skip", x: "release", e: "escalate" };

function onKey(event) {
  if (event.ctrlKey && event.key === "Enter") return take(event, () => submit(event.shiftKey));
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  const at = event.target;
  const typing = at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");
  if (event.key === "Escape") return take(event, () => (at.blur(), $("passage").focus({ preventScroll: true })));
  if (typing || !$("keys-on").checked) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const pressing = at.matches("button, a, summary");
  const pages = { PageDown: 1, PageUp: -1, " ": event.shiftKey ? -1 : 1 }[key];
  if (pages && !pressing && !at.matches("input") && turn(pages)) return event.preventDefault();
  if (key === "Enter" && !pressing) return take(event, () => submit(event.shiftKey));
  if (event.repeat) return;
  if (LABELS[key]) return take(event, () => label(LABELS[key]));
  if (OUTCOMES[key]) return take(event, () => choose("outcome", OUTCOMES[key]));
  if (key >= "1" && key <= "7" && !$("severity").hidden) return take(event, () => choose("severity", key));
  if (AWAY[key]) return take(event, () => leave(AWAY[key]));
  if (key === "ArrowDown" || key === "ArrowUp") return take(event, () => move(key === "ArrowDown" ? 1 : -1));
  if (key === "v") return take(event, toggleText);
  if (key === "w" && $("bounds")) return take(event, () => unfold($("bounds")));
  if (key === "d" && !$("draft-offer").hidden) return take(event, () => $("draft-restore").click());
  if (key === "o") return take(event, () => ($("others").open = !$("others").open));
  if (key === "r") return take(event, () => (($("more").open = true), $("reason").focus()));
}

function unfold(details) {
  details.open = !details.open;
  if (details.open) details.scrollIntoView({ block: "nearest" });
}

function take(event, action) {
  event.preventDefault();
  action();
}

function label(value) {
  const was = current.querySelector("input:checked")?.value;
  check(current, was === value ? undefined : value);
  changed();
}

function choose(name, value) {
  for (const input of form.elements[name]) input.checked = input.value === value && !input.checked;
  changed();
}

function move(step) {
  const next = rows[Math.min(rows.length - 1, Math.max(0, rows.indexOf(current) + step))];
  if (next.closest("details")) $("others").open = true;
  mark(next);
  next.scrollIntoView({ block: "nearest" });
  say(`${next.querySelector("legend").textContent.trim()}: Y, N or U`);
}

function mark(row) {
  for (const other of rows) other.classList.toggle("current", other === row);
  current = row;
}

// ── Beginning ────────────────────────────────────────────────────────────────────────────────────────────────────

const lease = new Lease({
  expires: page.expires,
  now: page.now,
  seconds: Number(page.leaseSeconds),
  renew: async () => {
    try {
      const renewed = await send(`${address}/renew`, { lease_token: page.lease });
      // What a failed or a late renewal had said is over.
      if (unreached) $("problem").textContent = "";
      if ($("lease").classList.contains("short")) say("");
      unreached = false;
      $("session-over").hidden = true;
      return renewed;
    } catch (error) {
      // The very key that sends a case may renew it too; what the sending says is what counts.
      if (sending || leaving) return;
      unreached = true;
      return void failed(error);
    }
  },
  show: (leftMs) => {
    const left = Math.ceil(leftMs / 1000);
    $("lease-left").textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "ended";
    const short = leftMs < Math.min(60_000, Number(page.leaseSeconds) * 250);
    if (short && !$("lease").classList.contains("short")) say("Your time with this case is nearly over; any key renews it.");
    $("lease").classList.toggle("short", short);
    $("lease").classList.toggle("over", left === 0);
  },
});

const kept = draft.find();
if (kept && !isEmpty(kept)) {
  $("draft-offer").hidden = false;
  $("draft-restore").addEventListener("click", () => (fill(kept), closeOffer()));
  $("draft-discard").addEventListener("click", () => (draft.forget(), closeOffer()));
}

function closeOffer() {
  $("draft-offer").hidden = true;
  $("passage").focus({ preventScroll: true });
}

try {
  $("keys-on").checked = localStorage.getItem("prefilter.keys") !== "off";
} catch {
  // Storage switched off: the keys start switched on.
}
$("keys-on").addEventListener("change", () => localStorage.setItem("prefilter.keys", $("keys-on").checked ? "on" : "off"));

mark(current);
toDeciding();
form.addEventListener("input", changed);
form.addEventListener("submit", (event) => take(event, () => submit(false)));
for (const row of rows) row.addEventListener("focusin", () => mark(row));
// The draft is kept; asking "leave this page?" would only stand in the way.
$("log-in-again").addEventListener("click", () => (leaving = true));
$("submit-stop").addEventListener("click", () => submit(true));
for (const action of Object.values(AWAY)) $(action).addEventListener("click", () => leave(action));
$("reveal").addEventListener("click", toggleText);
document.addEventListener("keydown", onKey);
// Somebody who walks away should not leave harm on the screen.
document.addEventListener("visibilitychange", () => document.hidden && hideAgain());
addEventListener("beforeunload", (event) => {
  if (!leaving && !isEmpty(judgement())) event.preventDefault();
});
// A page brought back by the Back button shows an old lease: ask the server anew.
addEventListener("pageshow", (event) => event.persisted && location.reload());
page.ready = "yes";
