// Keeps the page up to date: the server sends the elements that have changed, this puts them in.
//
// Without a WebSocket the page is fetched again every few seconds, and without JavaScript it is a
// plain page. What is put in is the server's HTML as it comes; nothing is built from data here.

import { patch } from "./morph.js";
import { setServerTime, showTimes } from "./times.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;
const POLL_MS = 5_000;
const TICK_MS = 1_000;
// Close code of the server: signed out, or not allowed any more.
const SIGNED_OUT = 4401;

const WORDS = {
  live: ["Live", "Changes appear as they happen. Click to pause."],
  paused: ["Paused", "Changes are not shown. Click to resume."],
  polling: ["Polling", "No live connection; the page is fetched every few seconds. Click to pause."],
  offline: ["Offline", "The hub cannot be reached; trying again."],
  out: ["Offline", "You are signed out, or may not see this page any more. Click to reload it."],
};

class Live {
  constructor(page, pill) {
    this.page = page;
    this.pill = pill;
    this.socket = null;
    this.seq = 0;
    // Only a message proves a connection: some proxies accept one and let nothing through.
    this.works = false;
    this.polls = false;
    this.failures = 0;
    this.signedOut = false;
    // Why nothing is shown now: "hidden", "dialog", "hand".
    this.pausedFor = new Set();
    // What came while a dialog was open: the newest of each element.
    this.held = new Map();
    this.timer = null;
  }

  start() {
    this.pill?.addEventListener("click", () => this.clicked());
    document.addEventListener("visibilitychange", () => this.pause("hidden", document.hidden));
    // A dialog can be opened in several ways and tells of none; its attribute tells of all.
    new MutationObserver(() => {
      this.pause("dialog", document.querySelector("dialog[open]") !== null);
    }).observe(document.body, { subtree: true, attributes: true, attributeFilter: ["open"] });
    window.addEventListener("online", () => this.connectNow());
    // A page that the browser keeps for "back" must not keep its socket.
    window.addEventListener("pagehide", () => this.socket?.close());
    window.addEventListener("pageshow", (event) => event.persisted && this.connectNow());
    setInterval(() => this.poll(), POLL_MS);
    this.pause("hidden", document.hidden);
    this.connect();
  }

  // The connection

  connect() {
    clearTimeout(this.timer);
    const address = new URL("/live/", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.searchParams.set("path", location.pathname + location.search);
    address.searchParams.set("at", this.page.dataset.at ?? "");
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      this.lost(0);
      return;
    }
    this.socket = socket;
    this.seq = 0;
    socket.addEventListener("open", () => this.pausedFor.size && this.say({ pause: true }));
    socket.addEventListener("message", (event) => this.heard(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.socket === socket && this.lost(event.code));
  }

  connectNow() {
    if (!this.socket && !this.signedOut) this.connect();
  }

  say(word) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(word));
  }

  heard(batch) {
    this.works = true;
    this.failures = 0;
    // A batch is missing: what it held is not here, so everything is asked for.
    if (batch.seq !== this.seq + 1) this.say({ refresh: true });
    this.seq = batch.seq;
    setServerTime(batch.now);
    this.show(Object.entries(batch.html));
    this.tell();
  }

  lost(code) {
    this.socket = null;
    this.failures = this.works ? 0 : this.failures + 1;
    this.works = this.polls = false;
    this.signedOut = code === SIGNED_OUT;
    if (!this.signedOut) {
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** this.failures, LONGEST_PAUSE_MS);
      // Random, or all browsers would come back in the same moment after a restart.
      this.timer = setTimeout(() => this.connectNow(), pause * (0.5 + Math.random()));
      if (this.failures === 1) this.poll();
    }
    this.tell();
  }

  // Without a WebSocket

  async poll() {
    if (this.works || this.failures === 0 || this.pausedFor.size || this.signedOut) return;
    const address = new URL(location.href);
    if (this.page.dataset.at) address.searchParams.set("at", this.page.dataset.at);
    try {
      const options = { redirect: "manual", signal: AbortSignal.timeout(POLL_MS) };
      const answer = await fetch(address, options);
      const text = await answer.text();
      if (this.works) return;
      this.polls = answer.ok;
      // A redirect leads to the login page.
      this.signedOut = answer.type === "opaqueredirect" || answer.status === 403;
      if (answer.ok) this.show(fragmentsOf(text));
    } catch {
      this.polls = false;
    }
    this.tell();
  }

  // What is shown

  show(fragments) {
    for (const [id, html] of fragments) this.held.set(id, html);
    // Nothing may move under somebody who is about to confirm something.
    if (this.pausedFor.has("dialog")) return;
    for (const [id, html] of this.held) patch(id, html);
    this.held.clear();
    showTimes();
    document.dispatchEvent(new CustomEvent("live:shown"));
  }

  pause(reason, on) {
    const before = this.pausedFor.size > 0;
    if (on) this.pausedFor.add(reason);
    else this.pausedFor.delete(reason);
    const after = this.pausedFor.size > 0;
    if (before === after) return;
    this.say({ pause: after });
    if (!after) {
      this.show([]);
      this.connectNow();
      this.poll();
    }
    this.tell();
  }

  clicked() {
    if (this.signedOut) location.reload();
    else this.pause("hand", !this.pausedFor.has("hand"));
  }

  state() {
    if (this.signedOut) return "out";
    if (this.pausedFor.has("hand") || this.pausedFor.has("dialog")) return "paused";
    if (this.works) return "live";
    return this.polls ? "polling" : "offline";
  }

  tell() {
    if (!this.pill) return;
    const state = this.state();
    const [word, title] = WORDS[state];
    this.pill.hidden = false;
    this.pill.dataset.state = word.toLowerCase();
    this.pill.title = title;
    if (this.pill.textContent !== word) this.pill.textContent = word;
  }
}

function fragmentsOf(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  return Array.from(page.querySelectorAll("#page [data-fragment][id]"), (element) => [
    element.id,
    element.outerHTML,
  ]);
}

showTimes();
setInterval(() => document.hidden || showTimes(), TICK_MS);

const page = document.querySelector("#page[data-live]");
if (page) new Live(page, document.getElementById("live-pill")).start();
