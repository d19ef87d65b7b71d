// A draft of a judgement, kept in this browser until it is sent.
// It holds labels, outcome, severity, reason and note; it never sees the text of a case. It belongs to one
// reviewer and one case, and is forgotten after a day.

const PREFIX = "prefilter.draft.";
const KEPT_MS = 24 * 60 * 60 * 1000;

export function isEmpty(draft) {
  return !Object.keys(draft.labels).length && !draft.outcome && !draft.severity && !draft.reason && !draft.note;
}

export class Draft {
  constructor(reviewer, caseId) {
    this.key = `${PREFIX}${reviewer}.${caseId}`;
    prune();
  }

  keep(judgement) {
    if (isEmpty(judgement)) return this.forget();
    const { labels, outcome, severity, reason, note } = judgement;
    write(this.key, JSON.stringify({ labels, outcome, severity, reason, note, saved_at: Date.now() }));
  }

  find() {
    return parse(read(this.key));
  }

  forget() {
    try {
      localStorage.removeItem(this.key);
    } catch {
      // Storage switched off: there is nothing to forget.
    }
  }
}

function prune() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(PREFIX)) continue;
      const draft = parse(read(key));
      if (!draft || Date.now() - draft.saved_at > KEPT_MS) localStorage.removeItem(key);
    }
  } catch {
    // Storage switched off: drafts live only as long as the page.
  }
}

function parse(raw) {
  try {
    const draft = JSON.parse(raw);
    return draft && typeof draft.labels === "object" && draft.labels ? draft : null;
  } catch {
    return null;
  }
}

function read(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Full or switched off: the draft stays on the page.
  }
}
