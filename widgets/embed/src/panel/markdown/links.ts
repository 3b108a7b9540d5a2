/** Which addresses an answer may link to. */

const ALLOWED = new Set(["http:", "https:", "mailto:"]);

/** The address in its normal form where it is absolute and http(s) or mailto, else null. */
export function safeUrl(raw: string): string | null {
  try {
    const url = new URL(raw.trim());
    if (!ALLOWED.has(url.protocol)) return null;
    // A name before the host ("https://bank.com@evil.net") only serves to deceive the reader.
    return url.username || url.password ? null : url.href;
  } catch {
    return null;
  }
}
