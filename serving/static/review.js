// The form of a review: labels per category, severity, outcome, reason and note, and the row that the keys speak to.
// It knows what is still missing; it does not know when or where a review is sent.

import { $, say } from "./page.js";

export class ReviewForm {
  constructor(changed) {
    this.form = $("judgement");
    this.rows = [...document.querySelectorAll(".label-row")];
    this.onChange = changed;
    this.mark(this.rows[0]);
    this.form.addEventListener("input", () => this.changed());
    for (const row of this.rows) row.addEventListener("focusin", () => this.mark(row));
  }

  get review() {
    const labels = {};
    for (const row of this.rows) {
      const chosen = row.querySelector("input:checked");
      if (chosen) labels[row.dataset.category] = chosen.value;
    }
    const { outcome, severity, reason, note } = this.form.elements;
    return {
      labels,
      outcome: outcome.value,
      severity: isHarmful(labels) && severity.value ? Number(severity.value) : null,
      reason: reason.value,
      note: note.value.trim(),
    };
  }

  // What is missing before it can be sent, and the field that asks for it; null when nothing is.
  get missing() {
    const { labels, severity, outcome } = this.review;
    const { severity: steps, outcome: outcomes } = this.form.elements;
    if (!Object.keys(labels).length) return ["Say whether it is there: Y, N or U.", this.rows[0].querySelector("input")];
    if (isHarmful(labels) && !severity) return ["How severe is it? 1 to 7.", steps[0]];
    if (!outcome) return ["Choose an outcome: A or B.", outcomes[0]];
    return null;
  }

  fill(kept) {
    for (const row of this.rows) check(row, kept.labels[row.dataset.category]);
    for (const name of ["outcome", "severity"]) {
      for (const input of this.form.elements[name]) input.checked = input.value === String(kept[name] ?? "");
    }
    this.form.elements.reason.value = kept.reason ?? "";
    this.form.elements.note.value = kept.note ?? "";
    $("more").open ||= Boolean(kept.reason || kept.note);
    this.changed();
  }

  changed() {
    const review = this.review;
    $("severity").hidden = !isHarmful(review.labels);
    const others = Object.entries(review.labels).filter(([name]) => !this.isDeciding(name));
    $("others-set").textContent = others.map(([name, value]) => `${name.replace("_", "-")}: ${value}`).join(", ");
    if (others.length) $("others").open = true;
    this.onChange(review);
  }

  isDeciding(category) {
    const [first] = this.rows;
    return first.classList.contains("deciding") && first.dataset.category === category;
  }

  // The same key twice takes the answer back.
  label(value) {
    const was = this.current.querySelector("input:checked")?.value;
    check(this.current, was === value ? undefined : value);
    this.changed();
  }

  choose(name, value) {
    for (const input of this.form.elements[name]) input.checked = input.value === value && !input.checked;
    this.changed();
  }

  move(step) {
    const at = this.rows.indexOf(this.current) + step;
    const next = this.rows[Math.min(this.rows.length - 1, Math.max(0, at))];
    if (next.closest("details")) $("others").open = true;
    this.mark(next);
    next.scrollIntoView({ block: "nearest" });
    say(`${next.querySelector("legend").textContent.trim()}: Y, N or U`);
  }

  mark(row) {
    for (const other of this.rows) other.classList.toggle("current", other === row);
    this.current = row;
  }

  lock(on) {
    for (const button of this.form.querySelectorAll("button")) button.disabled = on;
  }

  busy(on) {
    this.form.setAttribute("aria-busy", String(on));
    this.lock(on);
  }
}

function isHarmful(labels) {
  return Object.values(labels).includes("yes");
}

function check(row, value) {
  for (const input of row.querySelectorAll("input")) input.checked = input.value === value;
}
