// The text of a case, masked until the person reveals it. The masked form is the one the server drew; what is hidden
// is fetched when it is asked for, recorded by the server, and taken off the page again.

import { $, call } from "./page.js";
import { passageOf } from "./passage.js";

export class Reveal {
  constructor(submission) {
    this.submission = submission;
    this.masked = [...$("passage").childNodes];
    this.maskedContext = [...($("answered")?.childNodes ?? [])];
    $("reveal").addEventListener("click", () => this.toggle());
    // Somebody who walks away should not leave harm on the screen.
    document.addEventListener("visibilitychange", () => document.hidden && this.hide());
  }

  async toggle() {
    if ($("reveal").getAttribute("aria-expanded") === "true") return this.hide();
    if (!this.submission.free) return;
    $("reveal").disabled = true;
    try {
      const { pieces, context } = await call("reveal");
      $("passage").replaceChildren(...passageOf(pieces));
      if (context) $("answered")?.replaceChildren(...passageOf(context));
      this.shown(true);
      this.toDeciding();
    } catch (error) {
      this.submission.failed(error);
    } finally {
      $("reveal").disabled = this.submission.leaving;
    }
  }

  hide() {
    $("passage").replaceChildren(...this.masked);
    $("answered")?.replaceChildren(...this.maskedContext);
    this.shown(false);
  }

  shown(on) {
    $("reveal").setAttribute("aria-expanded", String(on));
    $("reveal").firstChild.textContent = on ? "Hide it again " : "Show what is hidden ";
  }

  // In a long text the part that decided may lie far down.
  toDeciding() {
    const part = $("passage").querySelector(".mask, mark");
    if (!part) return;
    const [at, frame] = [part.getBoundingClientRect(), $("passage").getBoundingClientRect()];
    const below = at.top - frame.top;
    if ($("passage").scrollHeight > $("passage").clientHeight) $("passage").scrollTop += below - frame.height / 4;
  }

  // Reads on by pages; says whether there was anything to turn.
  turn(pages) {
    const room = $("passage");
    if (room.scrollHeight <= room.clientHeight) return false;
    room.scrollTop += pages * room.clientHeight * 0.85;
    return true;
  }
}
