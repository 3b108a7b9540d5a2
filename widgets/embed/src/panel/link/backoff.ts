/** How long to wait before the next attempt. */

const BASE_MS = 500;
const CAP_MS = 30_000;

/**
 * Milliseconds before attempt `n` (0: the first again): doubling from half a second to thirty, of which a
 * random half is taken off, so that visitors cut off together do not come back together.
 */
export function delayBefore(n: number, random: number): number {
  return Math.min(CAP_MS, BASE_MS * 2 ** Math.min(n, 16)) * (0.5 + random / 2);
}
