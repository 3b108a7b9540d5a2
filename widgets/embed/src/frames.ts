/** What the widget derives from the frames of protocol.ts. */
import type * as p from "./protocol.ts";

export type ClientFrame =
  | p.ClientMessage
  | p.ClientResume
  | p.ClientStop
  | p.ClientPing
  | p.ClientTyping
  | p.ClientRead
  | p.ClientFeedback
  | p.ClientHandoff
  | p.ClientEnd;

export type ServerFrame =
  | p.ServerReady
  | p.ServerAck
  | p.ServerStart
  | p.ServerDelta
  | p.ServerMessage
  | p.ServerHistory
  | p.ServerStatus
  | p.ServerTyping
  | p.ServerError
  | p.ServerPong;

export type Session = NonNullable<p.ServerReady["session"]>;
export type SessionStatus = Session["status"];
export type WidgetSettings = p.BootResponse["widget"]["settings"];

/** Code points that one message may have. */
export const MAX_CONTENT = 8000;

const FRAME_TYPES = new Set<string>([
  "ready", "ack", "start", "delta", "message", "history", "status", "typing", "error", "pong",
]);

/** The frame in `data`, or null where it is not JSON or of a type that this widget does not know. */
export function parseFrame(data: unknown): ServerFrame | null {
  if (typeof data !== "string") return null;
  try {
    const frame: unknown = JSON.parse(data);
    const type = (frame as { type?: unknown } | null)?.type;
    return typeof type === "string" && FRAME_TYPES.has(type) ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
