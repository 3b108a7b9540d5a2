/** The visitor token, kept in the page origin's localStorage or, where that is blocked, in memory. */

export interface TokenStore {
  read(): string | null;
  write(token: string): void;
}

export function tokenStore(widgetKey: string, storage: () => Storage = () => localStorage): TokenStore {
  const name = `frontdesk:${widgetKey}`;
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
    write(token) {
      memory = token;
      try {
        storage().setItem(name, token);
      } catch {
        // Blocked or full: the visitor keeps the history for as long as the page lives.
      }
    },
  };
}
