// What need not stand between a key press and the screen: done when the frame with its effect is on its way, or at
// once where no frame will come. What must not be lost is stored before, never here.
class AfterFrame {
  static PATIENCE_MS = 500; // a covered window may draw no frame and not say so

  constructor() {
    this.waiting = [];
    this.channel = new MessageChannel(); // its messages come after the drawing that follows requestAnimationFrame
    this.channel.port1.onmessage = () => this.flush();
  }

  // Calls run(now), with the time at which the frame was done.
  do(run) {
    this.waiting.push(run);
    if (document.hidden) this.flush();
    else if (this.waiting.length === 1) {
      requestAnimationFrame(() => this.channel.port2.postMessage(null));
      this.timer = setTimeout(() => this.flush(), AfterFrame.PATIENCE_MS);
    }
  }

  flush() {
    const now = performance.now();
    clearTimeout(this.timer);
    for (const run of this.waiting.splice(0)) run(now);
  }
}
