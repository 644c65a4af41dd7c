// What outlives the view: Streamlit may unmount the component at any rerun or page change, and the work goes on being
// sent. One per project and annotator, kept on the window because the module itself may be loaded again.
class Work {
  constructor(scope, labels) {
    const registry = Work.registry();
    this.session = new Session(scope, labels, (registry.client ??= tabId()));
    this.status = null;
    this.done = 0;
    this.sync = new Sync(this.session, (answer) => this.keep(answer), () => {});
    window.addEventListener("pagehide", () => this.session.keepHistory());
  }

  keep(answer) {
    this.status = answer.status;
    this.done = answer.done;
    if (answer.earlier) this.session.receiveEarlier(answer.earlier);
    this.session.receive(answer.batch, answer.run ?? null, answer.names ?? null);
    this.fate = this.session.drop(answer.drop);
  }

  static registry() {
    return (window.__maner ??= { works: new Map() });
  }

  static of(scope, labels) {
    const { works } = Work.registry();
    if (!works.has(scope)) works.set(scope, new Work(scope, labels));
    return works.get(scope);
  }
}
