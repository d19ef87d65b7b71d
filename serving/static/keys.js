// The keys of the case page: one per step of a review, and a switch that turns them off. A key typed into a field is
// only a letter there.

import { $ } from "./page.js";

const LABELS = { y: "yes", n: "no", u: "unsure" };
const OUTCOMES = { a: "allow", b: "block" };
const AWAY = { s: "skip", x: "release", e: "escalate" };
const KEPT = "prefilter.keys";

export class Keys {
  constructor({ form, submission, reveal }) {
    Object.assign(this, { form, submission, reveal });
    remember($("keys-on"));
    document.addEventListener("keydown", (event) => this.pressed(event));
  }

  pressed(event) {
    if (event.ctrlKey && event.key === "Enter") return take(event, () => this.submission.submit(event.shiftKey));
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const at = event.target;
    if (event.key === "Escape") return take(event, () => (at.blur(), $("passage").focus({ preventScroll: true })));
    const typing = at.matches("textarea, select, input:not([type=radio]):not([type=checkbox])");
    if (typing || !$("keys-on").checked) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const pressing = at.matches("button, a, summary");
    const pages = { PageDown: 1, PageUp: -1, " ": event.shiftKey ? -1 : 1 }[key];
    if (pages && !pressing && !at.matches("input") && this.reveal.turn(pages)) return event.preventDefault();
    if (key === "Enter" && !pressing) return take(event, () => this.submission.submit(event.shiftKey));
    const step = event.repeat ? null : this.stepOf(key);
    if (step) take(event, step);
  }

  // What a key does now, or nothing: some keys wait until their part of the page is there.
  stepOf(key) {
    if (LABELS[key]) return () => this.form.label(LABELS[key]);
    if (OUTCOMES[key]) return () => this.form.choose("outcome", OUTCOMES[key]);
    if (key >= "1" && key <= "7" && !$("severity").hidden) return () => this.form.choose("severity", key);
    if (AWAY[key]) return () => this.submission.leave(AWAY[key]);
    if (key === "ArrowDown" || key === "ArrowUp") return () => this.form.move(key === "ArrowDown" ? 1 : -1);
    if (key === "v") return () => this.reveal.toggle();
    if (key === "w" && $("bounds")) return () => unfold($("bounds"));
    if (key === "d" && !$("draft-offer").hidden) return () => $("draft-restore").click();
    if (key === "o") return () => ($("others").open = !$("others").open);
    if (key === "r") return () => (($("more").open = true), $("reason").focus());
    return null;
  }
}

function take(event, step) {
  event.preventDefault();
  step();
}

function unfold(details) {
  details.open = !details.open;
  if (details.open) details.scrollIntoView({ block: "nearest" });
}

function remember(box) {
  try {
    box.checked = localStorage.getItem(KEPT) !== "off";
  } catch {
    // Storage switched off: the keys start switched on.
  }
  box.addEventListener("change", () => localStorage.setItem(KEPT, box.checked ? "on" : "off"));
}
