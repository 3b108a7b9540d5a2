/** Text as the protocol counts it: in Unicode code points, not in UTF-16 units. */

const isPair = (text: string, i: number): boolean => {
  const high = text.charCodeAt(i) & 0xfc00;
  return high === 0xd800 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00;
};

export function lengthOf(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++, count++) if (isPair(text, i)) i++;
  return count;
}

/** The text after its first `count` code points. */
export function skip(text: string, count: number): string {
  let i = 0;
  for (; count > 0 && i < text.length; count--) i += isPair(text, i) ? 2 : 1;
  return text.slice(i);
}

export interface GrowingText {
  text: string;
  /** In code points. */
  length: number;
}

export const growing = (text = ""): GrowingText => ({ text, length: lengthOf(text) });

/**
 * The text with a delta that starts `offset` code points into it. What it holds already is not added again,
 * so that any delta may come twice and deltas may overlap; null where one before it is missing.
 */
export function grow(known: GrowingText, offset: number, delta: string): GrowingText | null {
  if (offset > known.length) return null;
  const fresh = skip(delta, known.length - offset);
  return fresh ? { text: known.text + fresh, length: known.length + lengthOf(fresh) } : known;
}
