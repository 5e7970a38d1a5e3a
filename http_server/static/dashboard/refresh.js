// Does the same again every 2 s: only while somebody sees the page, and less often while it fails.

const EVERY_MS = 2000;
const LONGEST_MS = 30_000;

export class Refresh {
  // `work(signal)` asks and shows; `tell({state, problem, nextS})` hears how that goes.
  constructor(work, tell) {
    Object.assign(this, { work, tell, failures: 0, timer: null, running: null });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.now()));
  }

  // Whatever is under way is given up: it was asked for another view, or is older than what follows.
  async now() {
    this.stop();
    if (document.hidden) return;
    const running = (this.running = new AbortController());
    let waitMs = EVERY_MS;
    try {
      const wishMs = await this.work(running.signal);
      if (running.signal.aborted) return;
      this.failures = 0;
      waitMs = wishMs ?? EVERY_MS;
      this.tell({ state: "live" });
    } catch (problem) {
      if (running.signal.aborted) return;
      this.failures += 1;
      waitMs = Math.max(Math.min(EVERY_MS * 2 ** (this.failures - 1), LONGEST_MS), 1000 * (problem.retryAfterS || 0));
      const goesOn = this.tell({ state: "failing", problem, nextS: Math.round(waitMs / 1000) });
      if (goesOn === false) return;
    }
    if (waitMs !== Infinity) this.timer = setTimeout(() => this.now(), waitMs);
  }

  stop() {
    clearTimeout(this.timer);
    this.running?.abort();
    this.running = null;
  }
}
