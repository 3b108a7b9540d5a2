/** /widget/v1/panel.<hash>.js: leaves the function that mounts the panel where the loader looks for it. */
import { PANEL_SLOT, type MountPanel, type Panel, type PanelHost } from "../seam.ts";
import type { MessageObject } from "../protocol.ts";
import { Chat } from "./chat.ts";
import { isAnswering, type Conversation, type Problem } from "./conversation/state.ts";
import { plainText } from "./markdown/plain.ts";
import { fill, languageFor } from "./strings/language.ts";
import { storageName, storeOf } from "./storage.ts";
import { Announcer } from "./view/announcer.ts";
import { changeText } from "./view/messages.ts";
import { QuoteCard } from "./view/quote-card.ts";
import { isTold } from "./view/rows.ts";
import { titleBadge } from "./view/title-badge.ts";
import type { Actions } from "./view/ui.ts";
import { PanelView } from "./view/view.ts";

function mount(host: PanelHost): Panel {
  const { look } = host;
  const language = languageFor([look.locale, document.documentElement.lang, navigator.language]);
  const { strings } = language;
  const announcer = new Announcer();
  const unread = storeOf(storageName(look.key, "unread"));
  const showInTitle = titleBadge();
  let isBusy = false;
  const chat = new Chat(host.bootUrl, look.key, {
    changed(state: Conversation) {
      view.update(state);
      const busy = isAnswering(state);
      if (busy && !isBusy && state.isOpen) announcer.say(strings.answering);
      isBusy = busy;
    },
    unread(count: number) {
      const described = fill(strings.unread, { n: count });
      host.showUnread(count, described);
      showInTitle(count);
      // The loader shows it on the next page, before it has asked anything.
      unread.write(count ? described : null);
      host.emit("unread", { count });
    },
    arrived(message: MessageObject, live: boolean) {
      host.emit("message", { id: message.id, role: message.role, content: message.content, session: message.session });
      if (!live || message.role === "user") return;
      if (!chat.state.isOpen && message.role === "assistant") return announcer.say(fill(strings.unread, { n: chat.state.unread || 1 }));
      if (message.role === "system") {
        if (isTold(message)) announcer.say(changeText(message, strings));
        return;
      }
      announcer.say(`${message.author?.name ?? strings.assistant}: ${plainText(message.content)}`);
    },
    failed(problem: Problem) {
      host.emit("error", { code: problem.code, detail: problem.detail });
      announcer.say(strings[problem.code as keyof typeof strings] ?? strings.problem);
    },
    emit: host.emit,
  }, host.load);
  const actions: Actions = {
    send: (text) => chat.send(text),
    retry: (id) => chat.happen({ type: "retried", id }),
    discard: (id) => chat.happen({ type: "discarded", id }),
    stop: () => chat.happen({ type: "stopped" }),
    typing: () => chat.typing(),
    rate: (messageId, rating, comment) => chat.happen({ type: "rated", messageId, rating, ...(comment ? { comment } : {}) }),
    askForPerson: () => {
      chat.happen({ type: "asked_for_person" });
      view.focus();
    },
    end: () => chat.happen({ type: "ended" }),
    renew: () => {
      chat.happen({ type: "renewed" });
      view.focus();
    },
    close: () => show(false),
    announce: (text) => announcer.say(text),
  };
  const view = new PanelView({ language, quotes: new QuoteCard(), actions }, announcer, {
    root: host.root, launcher: host.launcher, name: look.name ?? "", theme: look.theme ?? "auto",
    primaryColor: look.primaryColor, secondaryColor: look.secondaryColor,
  });
  chat.state = {
    ...chat.state,
    settings: look.greeting ? { greeting: look.greeting } : {},
    unread: parseInt(unread.read() ?? "", 10) || 0,
    isVisible: !document.hidden,
  };
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
      showInTitle(0);
      view.remove();
      host.showOpen(false);
    },
  };
}

(window as unknown as Record<symbol, MountPanel>)[PANEL_SLOT] = mount;
