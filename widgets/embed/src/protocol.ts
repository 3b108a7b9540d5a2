/**
 * The frames and bodies that browser and server exchange (docs: product, section 3).
 *
 * Generated from widgets/chat/protocol.py by `manage.py widget_protocol --write`; do not edit by hand. Interfaces only,
 * no logic: what the widget derives from them (unions, guards) is in frames.ts.
 */

/** A person of the tenant who wrote a message. */
export interface Author {
  name: string;
  avatar_url: string | null;
}

/** A file beside a message. */
export interface Attachment {
  type: "image" | "file";
  url: string;
  name: string;
  size: number;
  sha256: string;
}

/** A passage an answer rests on; `quote` stands verbatim in the chunk. */
export interface Citation {
  document_id: string;
  chunk_id: string;
  title: string;
  url: string | null;
  quote: string;
}

/** A committed message. */
export interface MessageObject {
  id: string;
  session: string;
  seq: number;
  role: "user" | "assistant" | "system";
  author: Author | null;
  content: string;
  attachments: Attachment[];
  citations: Citation[];
  status: "complete" | "interrupted" | "failed";
  client_id: string | null;
  event: string | null;
  metadata: Record<string, unknown>;
  timestamp: string;
}

/** The open session, as boot and ready tell it. */
export interface SessionState {
  id: string;
  status: "ai" | "waiting" | "human" | "ended";
  last_seq: number;
}

/** The running answer so far; its further deltas follow. */
export interface PartialAnswer {
  message_id: string;
  text: string;
}

/** What visitors see of the settings: each key, what is allowed there and what it is when nobody says. An empty text means none. */
export interface Look {
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
}

/** Whom the visitor talks to. */
export interface BootPersonality {
  name: string;
}

/** The widget as the panel shows it. */
export interface BootWidget {
  name: string;
  settings: Look;
  personality: BootPersonality | null;
}

/** A challenge's token and its solution. */
export interface BootProof {
  token: string;
  numbers: number[];
}

/** The body of a boot. */
export interface BootRequest {
  widget: string;
  visitor_token?: string | null;
  identity?: string | null;
  proof?: BootProof | null;
}

/** Everything the panel needs to connect and to show what was said. `read_seq` is how far the visitor has read in the session, 0 without one. */
export interface BootResponse {
  visitor_token: string;
  socket_url: string;
  session: SessionState | null;
  read_seq: number;
  widget: BootWidget;
  messages: MessageObject[];
}

/** What is to be solved: `count` numbers, each for a hash of `seed` that begins with `bits` zero bits. */
export interface ProofChallenge {
  token: string;
  seed: string;
  count: number;
  bits: number;
}

/** A question, or whatever the visitor says. A resend with the same id is answered by the same ack. */
export interface ClientMessage {
  type: "message";
  id: string;
  content: string;
  attachments?: (Record<string, unknown>)[];
}

/** What did I miss? `after` is the last seq the client has. */
export interface ClientResume {
  type: "resume";
  after: number;
}

/** Stop the running answer. */
export interface ClientStop {
  type: "stop";
}

/** Are you there? */
export interface ClientPing {
  type: "ping";
}

/** The visitor is writing. */
export interface ClientTyping {
  type: "typing";
}

/** The visitor has seen everything up to `seq`. */
export interface ClientRead {
  type: "read";
  seq: number;
}

/** Thumbs on an answer of one's own session. The last one counts; without a comment, the one before stays as long as the rating does. */
export interface ClientFeedback {
  type: "feedback";
  message_id: string;
  rating: 1 | -1;
  comment?: string | null;
}

/** A person, please. */
export interface ClientHandoff {
  type: "handoff";
  reason?: string | null;
}

/** The visitor is done. */
export interface ClientEnd {
  type: "end";
}

/** The first frame of every connection; last_seq is 0 where session is null. */
export interface ServerReady {
  type: "ready";
  session: SessionState | null;
  last_seq: number;
}

/** The client's message `id` is committed. */
export interface ServerAck {
  type: "ack";
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

/** More of an answer; offset counts the Unicode code points before this text. */
export interface ServerDelta {
  type: "delta";
  message_id: string;
  offset: number;
  text: string;
}

/** A committed message. */
export interface ServerMessage {
  type: "message";
  message: MessageObject;
}

/** The answer to one resume: all with seq > after, ascending. Not complete: the gap is too old, boot again. */
export interface ServerHistory {
  type: "history";
  messages: MessageObject[];
  complete: boolean;
  partial?: PartialAnswer;
}

/** Who is answering now. */
export interface ServerStatus {
  type: "status";
  status: "ai" | "waiting" | "human" | "ended";
  agent?: Author;
}

/** Somebody else is writing: `visitor` (in another tab), or a person's name. */
export interface ServerTyping {
  type: "typing";
  who: string;
}

/** Something was refused; the connection stays open. */
export interface ServerError {
  type: "error";
  code: "bad_frame" | "too_long" | "too_fast" | "not_found" | "session_ended" | "budget_reached" | "model_unavailable" | "attachment_refused" | "not_allowed";
  detail: string;
  retry_after?: number;
  id?: string;
}

/** Yes. */
export interface ServerPong {
  type: "pong";
}
