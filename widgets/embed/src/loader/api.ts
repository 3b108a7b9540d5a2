/** window.Frontdesk: the calls a page may make, before this script has loaded or after. */
import type { EventName } from "../seam.ts";

export type Listener = (detail: unknown) => void;

export interface Calls {
  open(): void;
  close(): void;
  toggle(): void;
  send(text: string): void;
  identify(identity: { token: string | null }): void;
  shutdown(): void;
}

type Call = [name: string, ...args: unknown[]];

export interface PublicApi extends Calls {
  /** Returns the function that takes the listener off again. */
  on(event: EventName, listener: Listener): () => void;
  off(event?: EventName, listener?: Listener): void;
  /** Calls made before the script was there; pushing to it later calls at once. */
  q: { push(...calls: Call[]): void };
  /** The key of the widget this page runs. */
  widget: string;
}

export class Events {
  private listeners: [EventName, Listener][] = [];
  private isReady = false;

  on(event: EventName, listener: Listener): () => void {
    this.listeners.push([event, listener]);
    if (event === "ready" && this.isReady) this.call(listener, {});
    return () => this.off(event, listener);
  }

  off(event?: EventName, listener?: Listener): void {
    this.listeners = this.listeners.filter(
      ([e, l]) => (event !== undefined && e !== event) || (listener !== undefined && l !== listener),
    );
  }

  emit(event: EventName, detail: unknown = {}): void {
    if (event === "ready") this.isReady = true;
    for (const [name, listener] of [...this.listeners]) if (name === event) this.call(listener, detail);
  }

  /** A listener of the page that throws must not stop the widget; its error still reaches the console. */
  private call(listener: Listener, detail: unknown): void {
    try {
      listener(detail);
    } catch (error) {
      setTimeout(() => { throw error; });
    }
  }
}

/**
 * Puts the calls on `window.Frontdesk`, keeping the stub's object, so that a reference taken earlier goes on
 * working, and replays what the stub has queued in its order. Returns false where a widget runs already.
 */
export function publish(scope: { Frontdesk?: Partial<PublicApi> | undefined }, key: string, calls: Calls,
                        events: Events): boolean {
  const api = (scope.Frontdesk ??= {});
  if (api.widget) return false;
  const queued = Array.isArray(api.q) ? (api.q as Call[]) : [];
  const complete: PublicApi = Object.assign(api, calls, {
    widget: key,
    on: (event: EventName, listener: Listener) => events.on(event, listener),
    off: (event?: EventName, listener?: Listener) => events.off(event, listener),
    q: { push: (...later: Call[]) => later.forEach(replay) },
  });
  function replay(call: Call): void {
    const [name, ...args] = [...call];
    const method = (complete as unknown as Record<string, unknown>)[name];
    if (typeof method === "function") (method as (...a: unknown[]) => void)(...args);
  }
  queued.forEach(replay);
  return true;
}
