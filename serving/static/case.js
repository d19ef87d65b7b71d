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
const rows = [...document.querySelectorAll(".label-row")];

let current = rows[0];
let sending = false;
let leaving = false;
let armed = "";

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
  if (sending) return;
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
  if (sending) return;
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
    location.assign(answer.location);
  } catch (error) {
    busy(false);
    failed(error);
  }
}

function failed(error) {
  say("");
  if (!(error instanceof Refused)) throw error;
  if (error.code === "lease_lost") return lost();
  if (error.status === 401) {
    $("problem").textContent = "Your session has ended. Your draft is kept in this browser: log in again to go on.";
    return;
  }
  $("problem").textContent = error.field ? `${error.message} (${error.field})` : error.message;
}

function lost() {
  lease.end();
  draft.keep(judgement());
  hideAgain();
  leaving = true;
  $("lease").classList.add("over");
  $("lease-left").textContent = "ended";
  $("lease-lost").hidden = false;
  for (const button of form.querySelectorAll("button")) button.disabled = true;
  $("reveal").disabled = true;
  $("lease-lost").focus();
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
    const { pieces } = await send(`${address}/reveal`, { lease_token: page.lease });
    $("passage").replaceChildren(...passageOf(pieces));
    shown(true);
  } catch (error) {
    failed(error);
  } finally {
    $("reveal").disabled = leaving;
  }
}

function hideAgain() {
  $("passage").replaceChildren(...masked);
  shown(false);
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
  if (key === "Enter" && !pressing) return take(event, () => submit(event.shiftKey));
  if (event.repeat) return;
  if (LABELS[key]) return take(event, () => label(LABELS[key]));
  if (OUTCOMES[key]) return take(event, () => choose("outcome", OUTCOMES[key]));
  if (key >= "1" && key <= "7" && !$("severity").hidden) return take(event, () => choose("severity", key));
  if (AWAY[key]) return take(event, () => leave(AWAY[key]));
  if (key === "ArrowDown" || key === "ArrowUp") return take(event, () => move(key === "ArrowDown" ? 1 : -1));
  if (key === "v") return take(event, toggleText);
  if (key === "d" && !$("draft-offer").hidden) return take(event, () => $("draft-restore").click());
  if (key === "o") return take(event, () => ($("others").open = !$("others").open));
  if (key === "r") return take(event, () => (($("more").open = true), $("reason").focus()));
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
  renew: () => send(`${address}/renew`, { lease_token: page.lease }).catch((error) => void failed(error)),
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
form.addEventListener("input", changed);
form.addEventListener("submit", (event) => take(event, () => submit(false)));
for (const row of rows) row.addEventListener("focusin", () => mark(row));
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
