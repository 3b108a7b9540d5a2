/** /widget/v1.js: draws the launcher, keeps calls, and fetches the panel when the visitor shows intent. */
import type { Look } from "../look.ts";
import type { EventName, MountPanel, Panel } from "../seam.ts";
import { Events, publish, type Calls } from "./api.ts";
import { createLauncher, type Launcher } from "./launcher.ts";
import { failedToLoad } from "./words.ts";
import { loadScript, panelLoader } from "./panel-script.ts";

function start(look: Look, script: HTMLScriptElement | null): void {
  const absolute = (url: string): string => new URL(url, script?.src || location.href).href;
  const events = new Events();
  const nonce = script?.nonce ?? "";
  const load = look.active ? panelLoader(absolute(look.panelUrl), nonce) : null;
  let launcher: Launcher | null = null;
  let panel: Panel | null = null;
  let identity: string | null = null;
  let run = 0;

  function mounted(mount: MountPanel, shown: Launcher): Panel {
    if (panel) return panel;
    panel = mount({
      look,
      bootUrl: absolute(look.bootUrl),
      root: shown.root,
      launcher: shown.button,
      emit: (event: EventName, detail?: unknown) => events.emit(event, detail),
      load: (url: string) => loadScript(url, nonce),
      showOpen: shown.showOpen,
      showUnread: shown.showUnread,
    });
    if (identity) panel.identify(identity);
    return panel;
  }

  /** Calls the panel, fetching it first; a shutdown in between drops the call. */
  function withPanel(act: (panel: Panel) => void): void {
    if (!load) return;
    const asked = run;
    whenBody(() => {
      const shown = (launcher ??= show());
      load().then(
        (mount) => {
          if (asked !== run) return;
          shown.showFailure("");
          act(mounted(mount, shown));
        },
        (error: Error) => {
          shown.showFailure(failedToLoad(look.locale));
          events.emit("error", { code: "panel_unavailable", detail: error.message });
        },
      );
    });
  }

  function show(): Launcher {
    const shown = createLauncher(look);
    const { button } = shown;
    const prewarm = (): void => withPanel((p) => p.prewarm());
    for (const intent of ["pointerenter", "focus", "touchstart"]) {
      button.addEventListener(intent, prewarm, { once: true, passive: true });
    }
    button.addEventListener("click", calls.toggle);
    document.body.append(shown.host);
    const unread = unreadBefore(look.key);
    if (unread) shown.showUnread(parseInt(unread, 10), unread);
    return shown;
  }

  const calls: Calls = {
    open: () => withPanel((p) => p.open()),
    close: () => panel?.close(),
    toggle: () => (panel?.isOpen ? panel.close() : calls.open()),
    send: (text) => withPanel((p) => p.send(String(text))),
    identify(given) {
      identity = given?.token ?? null;
      panel?.identify(identity);
    },
    shutdown() {
      run++;
      panel?.shutdown();
      launcher?.host.remove();
      panel = launcher = identity = null;
    },
  };

  if (!publish(window as { Frontdesk?: object }, look.key, calls, events) || !look.active) return;
  whenBody(() => {
    if (run === 0) launcher ??= show();
    events.emit("ready");
  });
}

/** What the panel left there when messages came and nobody looked: "2 unread", in the visitor's language. */
function unreadBefore(key: string): string | null {
  try {
    return localStorage.getItem(`frontdesk:${key}:unread`);
  } catch {
    return null;
  }
}

function whenBody(act: () => void): void {
  if (document.body) act();
  else document.addEventListener("DOMContentLoaded", act, { once: true });
}

declare const __FRONTDESK_LOOK__: unknown;
start(__FRONTDESK_LOOK__ as Look, document.currentScript as HTMLScriptElement | null);
