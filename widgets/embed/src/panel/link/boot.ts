/** The boot call: who is the visitor, what is the widget, where is the socket. */
import type { BootRequest, BootResponse, ProofChallenge } from "../../protocol.ts";

/** Boot was answered with an error; `final` where asking again the same way would not help. */
export class BootRefused extends Error {
  constructor(
    readonly status: number, readonly code: string, readonly retryAfterMs: number | null,
    /** What has to be solved before it is asked again. */
    readonly challenge: ProofChallenge | null = null,
  ) {
    super(code);
  }

  get final(): boolean {
    return this.status >= 400 && this.status < 500 && ![408, 428, 429].includes(this.status);
  }
}

/** Milliseconds that a Retry-After header (seconds or an HTTP date) asks for; null without one. */
export function retryAfterMs(header: string | null, now: number): number | null {
  if (!header) return null;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : null;
}

/** Raises BootRefused for an error answer, and what fetch raises when there is none within 15 seconds. */
export async function boot(url: string, request: BootRequest): Promise<BootResponse> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(request),
    credentials: "omit",
    cache: "no-store",
    signal: AbortSignal.timeout(15_000),
  });
  if (response.ok) return (await response.json()) as BootResponse;
  const problem = (await response.json().catch(() => ({}))) as { code?: unknown; challenge?: ProofChallenge };
  const code = typeof problem.code === "string" ? problem.code : `http_${response.status}`;
  const wait = retryAfterMs(response.headers.get("Retry-After"), Date.now());
  throw new BootRefused(response.status, code, wait, problem.challenge ?? null);
}
