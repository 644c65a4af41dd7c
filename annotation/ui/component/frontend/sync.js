// The conversation with the server: one request at a time, each with everything not yet acknowledged, until it is.
//
// Saving is idempotent by the annotation's id, so "send it again" is the answer to every failure. The request goes to
// the JSON route beside the pages; where a host does not serve that route (it answers with a web page, not JSON), the
// same request travels as a trigger of the Streamlit component and the answer comes back in its data.
class Sync {
  // Which form of requests and answers this page speaks: annotation/sync_request.py says when it changes.
  static PROTOCOL = 1;
  static WANT = 20; // sentences to hold
  static LOW = 10; // ask for more at so many
  static POLL_MS = 5000;
  static TIMEOUT_MS = 15000;
  static BACKOFF_MS = [1000, 2000, 4000, 8000, 15000];
  static MOST_AT_ONCE = 200; // the server takes no more annotations in one request
  static KEEPALIVE_BYTES = 60000; // what browsers still send while the tab closes

  // state: "ok" | "offline" | "busy" | "full" (its disk is) | "ended" (the token is no longer taken) | "gone" (no such
  // project) | "outdated" (the tool was upgraded under this page) | "refused" (the server does not understand us)
  constructor(session, onAnswer, onState) {
    this.session = session;
    this.onAnswer = onAnswer;
    this.onState = onState;
    this.state = "ok";
    this.answered = false;
    this.problem = "";
    this.nonce = uuid();
    this.seq = 0;
    this.inFlight = null;
    this.failures = 0;
    this.atOnce = Sync.MOST_AT_ONCE;
    this.watched = false; // whether anybody looks: a hidden tab asks for nothing
    this.viaTrigger = false;
    window.addEventListener("online", () => this.wake());
  }

  configure({ url, token, trigger }) {
    const renewed = this.token !== token;
    Object.assign(this, { url, token, trigger });
    if (renewed && this.state === "ended" && !this.inFlight) this.#send();
  }

  get hasWork() {
    return this.session.outbox.size > 0 || this.session.held.length <= Sync.LOW;
  }

  // There is something to send: now, unless a request is under way or the server is known not to answer.
  kick() {
    if (!this.inFlight && this.failures === 0) this.#send();
  }

  // The network or the person came back: do not sit out the pause.
  wake() {
    if (!this.inFlight && this.state !== "ended") this.#send();
  }

  #schedule(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#onTimer(), milliseconds);
  }

  #onTimer() {
    if (this.watched) this.session.outbox.adopt();
    if (this.state === "ended" || (!this.watched && !this.session.outbox.size)) this.#schedule(Sync.POLL_MS);
    else if (!this.inFlight) this.#send();
  }

  #send() {
    const { outbox, held } = this.session;
    const request = {
      protocol: Sync.PROTOCOL,
      seq: ++this.seq,
      nonce: this.nonce,
      client: this.session.client,
      outbox: outbox.oldest(this.atOnce),
      have: held,
      refresh: this.session.stale,
      names: this.session.names,
      earlier: !this.answered && !this.session.history.length,
      want: !this.watched ? 0 : held.length <= Sync.LOW ? Sync.WANT : 0,
    };
    this.inFlight = request;
    clearTimeout(this.timer);
    if (this.viaTrigger) this.#sendTrigger(request);
    else this.#post(request);
  }

  async #post(request) {
    const body = JSON.stringify(request);
    let response;
    let answer = null;
    try {
      response = await fetch(this.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Authorization: `Bearer ${this.token}` },
        body,
        keepalive: new TextEncoder().encode(body).length < Sync.KEEPALIVE_BYTES,
        signal: AbortSignal.timeout(Sync.TIMEOUT_MS),
      });
      answer = await response.json().catch(() => null);
    } catch {
      return this.#failed("offline");
    }
    if (response.ok) return answer?.acks ? this.receive(answer) : this.#failed("offline"); // a login page of the network
    if (!answer && (response.status === 404 || response.status === 405)) {
      this.viaTrigger = true;
      return this.#sendTrigger(request);
    }
    return this.#onError(response.status, answer?.error ?? "");
  }

  #sendTrigger(request) {
    this.trigger("sync", request);
    this.triggerTimer = setTimeout(() => this.#failed("offline"), Sync.TIMEOUT_MS / 3);
  }

  #onError(status, why) {
    if (status === 401) return this.#failed("ended");
    if (status === 404) return this.#failed("gone", why);
    if (status === 426) return this.#failed("outdated");
    if (status === 507) return this.#failed("full");
    if (status === 400 || status === 413) return this.#narrow(why);
    return status < 500 ? this.#failed("refused", why) : this.#failed("busy");
  }

  // Something in the request cannot be taken. Send less at once until the one annotation is found that is at fault:
  // it must not keep the others from being saved.
  #narrow(why) {
    const { outbox } = this.inFlight;
    // Without words it was not our server but something on the way there: no annotation is to blame for that.
    if (!outbox.length || (outbox.length === 1 && !why)) return this.#failed("refused", why);
    if (outbox.length === 1) {
      this.session.refuse(outbox[0].id, why);
      this.atOnce = Sync.MOST_AT_ONCE;
    } else {
      this.atOnce = Math.floor(outbox.length / 2);
    }
    this.inFlight = null;
    this.onState();
    this.#send();
  }

  // What came back in the component's data: an answer, or an error as the route would have sent it.
  receiveTrigger(answer) {
    if (!this.#answersThis(answer)) return;
    clearTimeout(this.triggerTimer);
    if (answer.error) this.#onError(answer.code, answer.error);
    else this.receive(answer);
  }

  #answersThis(answer) {
    return this.inFlight && answer.nonce === this.nonce && answer.seq === this.inFlight.seq;
  }

  receive(answer) {
    const { outbox } = this.session;
    for (const id of answer.acks) outbox.acknowledge(id);
    for (const { id, why } of answer.rejects) this.session.refuse(id, why);
    // A late answer still says what was saved, but the sentences in it have been asked for again since.
    if (!this.#answersThis(answer)) return this.onState();
    const { refresh } = this.inFlight;
    const refreshed = answer.refreshed ?? [];
    this.inFlight = null;
    this.failures = 0;
    this.atOnce = Sync.MOST_AT_ONCE;
    this.answered = true;
    this.#become("ok");
    this.onAnswer(answer);
    // Without being asked, too, where a label has brought new names to the sentences that wait here.
    if (refresh || refreshed.length) this.session.refresh(refreshed);
    // Send at once what was finished meanwhile, and ask at once for what another run suggests. A queue that stays low is no reason for haste: there is no more.
    if (outbox.size || this.session.stale) this.kick();
    else this.#schedule(Sync.POLL_MS);
  }

  #failed(state, problem = "") {
    clearTimeout(this.triggerTimer);
    this.inFlight = null;
    const pause = Sync.BACKOFF_MS[Math.min(this.failures, Sync.BACKOFF_MS.length - 1)];
    this.failures += 1;
    this.#become(state, problem);
    this.#schedule(pause);
  }

  #become(state, problem = "") {
    this.state = state;
    this.problem = problem;
    this.onState();
  }
}
