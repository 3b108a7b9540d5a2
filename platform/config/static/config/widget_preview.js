// Stands in for the server, so that the real loader and panel can be looked at without a conversation being begun.
(() => {
  const boot = JSON.parse(document.getElementById("boot").textContent);
  const SAMPLE = "This is a sample answer. On your website the AI answers here, from your documents, and names them.";
  const SESSION = "00000000-0000-7000-8000-000000000001";

  const realFetch = window.fetch.bind(window);
  window.fetch = (url, options) =>
    String(url).endsWith("/preview/boot")
      ? Promise.resolve(new Response(JSON.stringify(boot), { headers: { "Content-Type": "application/json" } }))
      : realFetch(url, options);

  class SampleSocket {
    seq = 0;
    log = [];
    onmessage = null;
    onclose = null;
    constructor() {
      this.say({ type: "ready", session: null, last_seq: 0 });
    }
    say(frame, after = 20) {
      setTimeout(() => this.onmessage?.({ data: JSON.stringify(frame) }), after);
    }
    send(text) {
      const frame = JSON.parse(text);
      if (frame.type === "ping") this.say({ type: "pong" });
      if (frame.type === "resume") this.say({ type: "history", messages: this.log.filter((m) => m.seq > frame.after), complete: true });
      if (frame.type === "message") this.answer(frame);
    }
    message(role, content, id, client) {
      const message = {
        id, session: SESSION, seq: ++this.seq, role, author: null, content, attachments: [], citations: [],
        status: "complete", client_id: client, event: null, metadata: {}, timestamp: new Date().toISOString(),
      };
      this.log.push(message);
      return message;
    }
    answer(frame) {
      const asked = this.message("user", frame.content, crypto.randomUUID?.() ?? `asked-${this.seq}`, frame.id);
      this.say({ type: "ack", id: frame.id, message_id: asked.id, seq: asked.seq, session: SESSION });
      const id = crypto.randomUUID?.() ?? `answer-${this.seq}`;
      this.say({ type: "start", message_id: id }, 300);
      const pieces = SAMPLE.match(/\S+\s*/g);
      let offset = 0;
      pieces.forEach((text, index) => {
        this.say({ type: "delta", message_id: id, offset, text }, 700 + index * 40);
        offset += text.length;
      });
      setTimeout(() => this.say({ type: "message", message: this.message("assistant", SAMPLE, id, null) }), 760 + pieces.length * 40);
    }
    close() {}
  }
  window.WebSocket = SampleSocket;
  window.Frontdesk = { q: document.currentScript.hasAttribute("data-open") ? [["open"]] : [] };
})();
