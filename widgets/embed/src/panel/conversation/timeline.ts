/** The list of committed messages: each once, in the order of its session. */
import type { MessageObject } from "../../protocol.ts";

/** The list with the message in its place; one of the same id is replaced. */
export function place(messages: readonly MessageObject[], message: MessageObject): readonly MessageObject[] {
  const known = messages.findIndex((m) => m.id === message.id);
  if (known >= 0) return messages.map((m, i) => (i === known ? message : m));
  const after = messages.findIndex((m) => m.session === message.session && m.seq > message.seq);
  return after < 0 ? [...messages, message] : [...messages.slice(0, after), message, ...messages.slice(after)];
}

/** The list where the given messages are all that is known of their session. */
export function replaceSession(messages: readonly MessageObject[], session: string,
                               fresh: readonly MessageObject[]): readonly MessageObject[] {
  return [...messages.filter((m) => m.session !== session), ...fresh];
}

/** What the visitor asked before the message at `index`, to ask it again. */
export function questionBefore(messages: readonly MessageObject[], index: number): string | null {
  for (let i = index - 1; i >= 0; i--) {
    const message = messages[i] as MessageObject;
    if (message.role === "user") return message.content;
  }
  return null;
}
