/** What loader and panel, two scripts, know of each other. */
import type { Look } from "./look.ts";
import type { ProofChallenge } from "./protocol.ts";

export type EventName = "ready" | "open" | "close" | "message" | "error" | "unread";

/** What the loader gives the panel. */
export interface PanelHost {
  look: Look;
  bootUrl: string;
  /** The open shadow root that holds the launcher. */
  root: ShadowRoot;
  launcher: HTMLButtonElement;
  emit(event: EventName, detail?: unknown): void;
  /** Runs another script of ours, as the page's policy let this one in. Rejects when it cannot be had. */
  load(url: string): Promise<void>;
  /** Shows the launcher as that of an open or closed panel. */
  showOpen(open: boolean): void;
  showUnread(count: number, label: string): void;
}

/** What the panel gives the loader. */
export interface Panel {
  readonly isOpen: boolean;
  /** Boots ahead of the click; the first open then only has to connect. */
  prewarm(): void;
  open(): void;
  close(): void;
  send(text: string): void;
  identify(token: string | null): void;
  shutdown(): void;
}

export type MountPanel = (host: PanelHost) => Panel;

export type SolveProof = (challenge: ProofChallenge) => Promise<number[]>;

/** Under this one proof.js leaves its SolveProof. */
export const PROOF_SLOT = Symbol.for("frontdesk.proof");
/** Under this property of window the panel leaves its MountPanel. */
export const PANEL_SLOT = Symbol.for("frontdesk.panel");
