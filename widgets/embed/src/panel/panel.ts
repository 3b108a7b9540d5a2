/** /widget/v1/panel.<hash>.js: leaves the function that mounts the panel where the loader looks for it. */
import { PANEL_SLOT, type MountPanel, type Panel, type PanelHost } from "../seam.ts";
import type { MessageObject } from "../protocol.ts";
import { Chat } from "./chat.ts";
import type { Conversation, Problem } from "./conversation/state.ts";
import { plainText } from "./markdown/plain.ts";
import { fill, languageFor } from "./strings/language.ts";
import { Announcer } from "./view/announcer.ts";
import type { Actions } from "./view/ui.ts";
import { PanelView } from "./view/view.ts";

function mount(host: PanelHost): Panel {
  const { look } = host;
  const language = languageFor([look.locale, document.documentElement.lang, navigator.language]);
  const { strings } = language;
  const announcer = new Announcer();
  const chat = new Chat(host.bootUrl, look.key, {
    changed(state: Conversation) {
      view.update(state);
      host.showUnread(state.unread, fill(strings.unread, { n: state.unread }));
    },
    arrived(message: MessageObject, live: boolean) {
      host.emit("message", { id: message.id, role: message.role, content: message.content, session: message.session });
      if (!live || message.role === "user" || !chat.state.isOpen) return;
      const who = message.role === "system" ? "" : `${message.author?.name ?? strings.assistant}: `;
      announcer.say(who + plainText(message.content));
    },
    failed(problem: Problem) {
      host.emit("error", { code: problem.code, detail: problem.detail });
      announcer.say(strings[problem.code as keyof typeof strings] ?? strings.problem);
    },
    emit: host.emit,
  });
  const actions: Actions = {
    send: (text) => chat.send(text),
    retry: (id) => chat.happen({ type: "retried", id }),
    discard: (id) => chat.happen({ type: "discarded", id }),
    stop: () => chat.happen({ type: "stopped" }),
    rate: (messageId, rating) => chat.happen({ type: "rated", messageId, rating }),
    askForPerson: () => chat.happen({ type: "asked_for_person" }),
    close: () => show(false),
    announce: (text) => announcer.say(text),
  };
  const view = new PanelView({ language, features: new Set(look.features), actions }, announcer, {
    root: host.root, launcher: host.launcher, name: look.name ?? "", theme: look.theme ?? "auto", primaryColor: look.primaryColor,
  });
  if (look.greeting) chat.state = { ...chat.state, settings: { greeting: look.greeting } };
  view.update(chat.state);

  function show(open: boolean): void {
    if (open === view.shell.isOpen) return;
    chat.happen({ type: "shown", open });
    host.showOpen(open);
    if (open) {
      chat.connect();
      view.open();
    } else {
      view.shell.close();
      chat.rest();
    }
    host.emit(open ? "open" : "close");
  }

  return {
    get isOpen() { return view.shell.isOpen; },
    prewarm: () => chat.prewarm(),
    open: () => show(true),
    close: () => show(false),
    send(text) {
      show(true);
      chat.send(text);
    },
    identify: (token) => chat.identify(token),
    shutdown() {
      chat.end();
      view.remove();
      host.showOpen(false);
    },
  };
}

(window as unknown as Record<symbol, MountPanel>)[PANEL_SLOT] = mount;
