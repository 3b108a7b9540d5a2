/**
 * The frames and bodies that browser and server exchange (docs: product, section 3).
 *
 * Generated from widgets/chat/protocol.py; do not edit by hand. Interfaces only, no logic: what the widget
 * derives from them (unions, guards) is in frames.ts.
 */

/** Who wrote a message when it was a person of the tenant. */
export interface Author {
  name: string;
  avatar_url: string | null;
}

/** A passage that supports an answer; `quote` is found verbatim in the chunk. */
export interface Citation {
  document_id: string;
  chunk_id: string;
  title: string;
  url: string | null;
  quote: string;
}

/** A committed message, the same everywhere: frames, boot and REST. */
export interface MessageObject {
  id: string;
  session: string;
  /** 1 in each session for its first message, without gaps. */
  seq: number;
  role: "user" | "assistant" | "system";
  author: Author | null;
  content: string;
  attachments: { type: "image" | "file"; url: string; name: string; size: number; sha256: string }[];
  citations: Citation[];
  status: "complete" | "interrupted" | "failed";
  /** The UUID that the client gave its message. */
  client_id: string | null;
  /** `abstained` on an answer without support; the kind of state change on system messages. */
  event: string | null;
  metadata: Record<string, unknown>;
  /** RFC 3339, UTC. */
  timestamp: string;
}

export interface ClientMessage {
  type: "message";
  /** The client's own UUID; a resend with the same one is answered by the same ack. */
  id: string;
  /** 1 to 8,000 Unicode code points. */
  content: string;
  attachments?: { type: "image" | "file"; url: string; name: string; size: number; sha256: string }[];
}

export interface ClientResume {
  type: "resume";
  /** The last seq the client has; 0 for all. */
  after: number;
}

export interface ClientStop {
  type: "stop";
}

export interface ClientPing {
  type: "ping";
}

export interface ClientTyping {
  type: "typing";
}

export interface ClientRead {
  type: "read";
  seq: number;
}

export interface ClientFeedback {
  type: "feedback";
  message_id: string;
  rating: 1 | -1;
  comment?: string;
}

export interface ClientHandoff {
  type: "handoff";
  reason?: string;
}

export interface ClientEnd {
  type: "end";
}

/** The first frame of every connection. */
export interface ServerReady {
  type: "ready";
  session: { id: string; status: "ai" | "waiting" | "human" | "ended"; last_seq: number } | null;
  /** 0 where session is null. */
  last_seq: number;
}

/** The client's message is committed. */
export interface ServerAck {
  type: "ack";
  /** The client's own UUID. */
  id: string;
  message_id: string;
  seq: number;
  session: string;
}

/** An answer begins; it has no seq yet. */
export interface ServerStart {
  type: "start";
  message_id: string;
}

export interface ServerDelta {
  type: "delta";
  message_id: string;
  /** Unicode code points of the answer before this text. */
  offset: number;
  text: string;
}

export interface ServerMessage {
  type: "message";
  message: MessageObject;
}

/** The answer to one `resume`. */
export interface ServerHistory {
  type: "history";
  /** All with seq > after, ascending. */
  messages: MessageObject[];
  /** False when the gap is too old to be sent: boot again. */
  complete: boolean;
  /** The running answer so far; its further deltas follow. */
  partial?: { message_id: string; text: string };
}

export interface ServerStatus {
  type: "status";
  status: "ai" | "waiting" | "human" | "ended";
  agent?: Author;
}

export interface ServerTyping {
  type: "typing";
  who: string;
}

export interface ServerError {
  type: "error";
  code:
    | "bad_frame"
    | "too_long"
    | "too_fast"
    | "not_found"
    | "session_ended"
    | "budget_reached"
    | "model_unavailable"
    | "attachment_refused"
    | "not_allowed";
  detail: string;
  /** Seconds. */
  retry_after?: number;
  /** The UUID of the client's message that was refused. */
  id?: string;
}

export interface ServerPong {
  type: "pong";
}

export interface BootRequest {
  widget: string;
  visitor_token: string | null;
  /** A JWT, HS256 with the widget's identity secret. */
  identity: string | null;
}

export interface BootResponse {
  visitor_token: string;
  /** Absolute, with a single-use ticket good for 60 seconds. */
  socket_url: string;
  /** Null until the visitor's first message. */
  session: { id: string; status: "ai" | "waiting" | "human" | "ended"; last_seq: number } | null;
  widget: {
    name: string;
    settings: {
      theme?: "light" | "dark" | "auto";
      position?: "bottom-right" | "bottom-left";
      greeting?: string;
      primaryColor?: string;
      secondaryColor?: string;
      launcherLabel?: string;
      starterQuestions?: string[];
      locale?: string;
      offlineMessage?: string;
      collectEmail?: boolean;
      privacyUrl?: string;
    };
    personality: { name: string } | null;
  };
  /** The last 50 of the open session, ascending. */
  messages: MessageObject[];
}
