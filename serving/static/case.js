// The case page: puts the form, the text, the lease, the keys and the draft together, and offers a kept draft.
// Every one of them is a module of its own; this one only knows who is told of what.

import { Countdown } from "./countdown.js";
import { Draft, isEmpty } from "./draft.js";
import { Keys } from "./keys.js";
import { $, facts } from "./page.js";
import { Reveal } from "./reveal.js";
import { ReviewForm } from "./review.js";
import { Submission } from "./submission.js";

const draft = new Draft(facts.reviewer, facts.case);
const form = new ReviewForm((review) => submission.changed(review));
const submission = new Submission({
  form,
  draft,
  hideText: () => reveal.hide(),
  stopLease: (word) => countdown.stop(word),
});
const reveal = new Reveal(submission);
const countdown = new Countdown(submission);
new Keys({ form, submission, reveal });

const kept = draft.find();
if (kept && !isEmpty(kept)) {
  $("draft-offer").hidden = false;
  $("draft-restore").addEventListener("click", () => (form.fill(kept), closeOffer()));
  $("draft-discard").addEventListener("click", () => (draft.forget(), closeOffer()));
}

function closeOffer() {
  $("draft-offer").hidden = true;
  $("passage").focus({ preventScroll: true });
}

reveal.toDeciding();
// A page brought back by the Back button shows an old lease: ask the server anew.
addEventListener("pageshow", (event) => event.persisted && location.reload());
facts.ready = "yes";
