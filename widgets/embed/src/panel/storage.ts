/** What the page origin's localStorage keeps or, where that is blocked, memory: the visitor token, the unread badge. */

export interface Store {
  read(): string | null;
  /** Null removes it. */
  write(value: string | null): void;
}

/** The token's name is the widget's own; others add theirs to it. */
export const storageName = (widgetKey: string, what = ""): string => `frontdesk:${widgetKey}${what && `:${what}`}`;

export function storeOf(name: string, storage: () => Storage = () => localStorage): Store {
  let memory: string | null = null;
  return {
    /** Read anew each time: another tab may have become the same visitor meanwhile. */
    read() {
      try {
        return storage().getItem(name) ?? memory;
      } catch {
        return memory;
      }
    },
    write(value) {
      memory = value;
      try {
        if (value === null) storage().removeItem(name);
        else storage().setItem(name, value);
      } catch {
        // Blocked or full: the visitor keeps the history for as long as the page lives.
      }
    },
  };
}
