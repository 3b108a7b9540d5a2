/** Colours that stay readable whatever primary colour a tenant picks (WCAG 2.2, 1.4.3 and 1.4.11). */

export type Rgb = readonly [number, number, number];

/** #rgb or #rrggbb as 0..255 channels; null for anything else. */
export function parseHex(hex: string): Rgb | null {
  const digits = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(hex.trim())?.[1];
  if (!digits) return null;
  const full = digits.length === 3 ? digits.replace(/./g, "$&$&") : digits;
  const n = parseInt(full, 16);
  return [n >> 16, (n >> 8) & 255, n & 255];
}

/** Relative luminance, 0..1, by the formula of WCAG 2.2. */
function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4) as
    [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Contrast ratio of WCAG 2.2, 1..21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];

/** White where it reaches 4.5:1 on the colour, else black, which then does. */
export function textOn(colour: Rgb): Rgb {
  return contrast(colour, WHITE) >= 4.5 ? WHITE : BLACK;
}

/** The colour, moved towards black or white until it reaches `ratio` on the surface. */
export function readableOn(surface: Rgb, colour: Rgb, ratio: number): Rgb {
  const goal = luminance(surface) > 0.18 ? BLACK : WHITE;
  for (let step = 0; step <= 20; step++) {
    const mixed = colour.map((c, i) => Math.round(c + ((goal[i] as number) - c) * (step / 20))) as
      unknown as Rgb;
    if (contrast(mixed, surface) >= ratio) return mixed;
  }
  return goal;
}

export const css = (rgb: Rgb): string => `rgb(${rgb.join(" ")})`;
