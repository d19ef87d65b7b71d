// The lease on a case: how long it still runs, and its renewal while somebody is at work.
// The server's clock counts; the page only measures how far its own is off. Only the server can say that a lease is
// lost, so a countdown at zero warns and does not lock the form.

const ACTIVE_MS = 60_000;

export class Lease {
  constructor({ expires, now, seconds, renew, show }) {
    this.lengthMs = seconds * 1000;
    this.renew = renew;
    this.show = show;
    this.activeMs = Math.min(ACTIVE_MS, this.lengthMs / 2);
    this.lastActive = -Infinity;
    this.busy = false;
    this.over = false;
    this.set(expires, now);
    for (const kind of ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"]) {
      addEventListener(kind, () => this.touched(), { passive: true });
    }
    this.timer = setInterval(() => this.tick(), Math.min(1000, this.lengthMs / 10));
    this.tick();
  }

  set(expires, now) {
    this.deadline = performance.now() + (Date.parse(expires) - Date.parse(now));
  }

  get leftMs() {
    return Math.max(0, this.deadline - performance.now());
  }

  touched() {
    this.lastActive = performance.now();
    if (this.leftMs < this.lengthMs / 2) this.extend();
  }

  tick() {
    if (this.over) return;
    const active = performance.now() - this.lastActive < this.activeMs;
    if (active && this.leftMs < this.lengthMs / 2) this.extend();
    this.show(this.leftMs);
  }

  async extend() {
    if (this.busy || this.over || this.leftMs === 0) return;
    this.busy = true;
    try {
      const lease = await this.renew();
      if (lease) this.set(lease.expires_at, lease.now);
    } finally {
      // Leave the server a breath between two tries, whatever the first one said.
      setTimeout(() => (this.busy = false), Math.min(5000, this.lengthMs / 20));
    }
  }

  end() {
    this.over = true;
    clearInterval(this.timer);
  }
}
