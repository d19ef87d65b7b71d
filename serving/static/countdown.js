// The lease as the person sees it: the time left, a warning when it runs short, and what a renewal says.

import { Lease } from "./lease.js";
import { $, call, complain, facts, say } from "./page.js";

export class Countdown {
  constructor(submission) {
    this.submission = submission;
    this.seconds = Number(facts.leaseSeconds);
    this.unreached = false;
    this.lease = new Lease({
      expires: facts.expires,
      now: facts.now,
      seconds: this.seconds,
      renew: () => this.renew(),
      show: (leftMs) => this.show(leftMs),
    });
  }

  show(leftMs) {
    const left = Math.ceil(leftMs / 1000);
    $("lease-left").textContent = left ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}` : "ended";
    const short = leftMs < Math.min(60_000, this.seconds * 250);
    if (short && !this.isShort) say("Your time with this case is nearly over; any key renews it.");
    $("lease").classList.toggle("short", short);
    $("lease").classList.toggle("over", left === 0);
  }

  get isShort() {
    return $("lease").classList.contains("short");
  }

  async renew() {
    try {
      const renewed = await call("renew");
      // What a failed or a late renewal had said is over.
      if (this.unreached) complain("");
      if (this.isShort) say("");
      this.unreached = false;
      $("session-over").hidden = true;
      return renewed;
    } catch (error) {
      // The very key that sends a case may renew it too; what the sending says is what counts.
      if (!this.submission.free) return;
      this.unreached = true;
      this.submission.failed(error);
    }
  }

  // The count ends; `word` says why, where the page stays open.
  stop(word) {
    this.lease.end();
    if (!word) return;
    $("lease").classList.add("over");
    $("lease-left").textContent = word;
  }
}
