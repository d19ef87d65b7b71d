// How a person leaves a case: by sending a review, or by skipping, giving back or escalating. Nothing is sent twice,
// and no draft is lost: what a refused call means for the case is decided here, for every call of the page.

import { isEmpty } from "./draft.js";
import { Refused } from "./forms.js";
import { $, call, complain, facts, say, tell } from "./page.js";

const AWAY = ["skip", "release", "escalate"];

export class Submission {
  constructor({ form, draft, hideText, stopLease }) {
    Object.assign(this, { form, draft, hideText, stopLease });
    this.sending = false;
    this.leaving = false;
    this.armed = "";
    form.form.addEventListener("submit", (event) => (event.preventDefault(), this.submit(false)));
    $("submit-stop").addEventListener("click", () => this.submit(true));
    for (const action of AWAY) $(action).addEventListener("click", () => this.leave(action));
    // The draft is kept; asking "leave this page?" would only stand in the way.
    $("log-in-again").addEventListener("click", () => (this.leaving = true));
    addEventListener("beforeunload", (event) => {
      if (!this.leaving && !isEmpty(form.review)) event.preventDefault();
    });
  }

  get free() {
    return !this.sending && !this.leaving;
  }

  changed(review) {
    complain("");
    this.armed = "";
    if (!this.leaving) this.draft.keep(review);
  }

  async submit(stop) {
    if (!this.free) return;
    const lack = this.form.missing;
    if (lack) {
      complain(lack[0]);
      lack[1].focus();
      return;
    }
    const body = { ...this.form.review, queue: facts.queue, stop };
    if (!body.reason) delete body.reason;
    if (!body.note) delete body.note;
    if (body.severity === null) delete body.severity;
    await this.act("reviews", body, { "Idempotency-Key": facts.idempotencyKey });
  }

  async leave(action) {
    if (!this.free) return;
    if (!isEmpty(this.form.review) && this.armed !== action) {
      this.armed = action;
      say("Your draft would not be sent. Press once more to leave all the same.");
      return;
    }
    await this.act(action, action === "release" ? {} : { queue: facts.queue });
  }

  async act(action, body, headers) {
    this.busy(true);
    say("Sending…");
    try {
      const answer = await call(action, body, headers);
      this.leaving = true;
      if (action !== "release") this.draft.forget();
      this.stopLease();
      // A case that has been sent is no place to come back to: Back leads to where the person came from.
      location.replace(answer.location);
    } catch (error) {
      this.busy(false);
      this.failed(error);
    }
  }

  failed(error) {
    say("");
    if (!(error instanceof Refused)) throw error;
    if (error.code === "lease_lost") return this.lost();
    if (error.code === "idempotency_conflict") return this.sentBefore();
    if (error.status === 401) {
      this.hideText();
      return tell("session-over");
    }
    complain(error.field ? `${error.message} (${error.field})` : error.message);
  }

  lost() {
    this.draft.keep(this.form.review);
    this.over("ended");
    tell("lease-lost");
  }

  // An answer was lost on its way, the review was not: it is recorded, and the case is done.
  sentBefore() {
    this.draft.forget();
    this.over("sent");
    tell("sent-before");
  }

  over(word) {
    this.stopLease(word);
    this.hideText();
    this.leaving = true;
    this.form.lock(true);
    $("reveal").disabled = true;
  }

  busy(on) {
    this.sending = on;
    this.form.busy(on);
  }
}
