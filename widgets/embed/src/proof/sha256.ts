/** SHA-256 (FIPS 180-4) of one short text at a time: what Web Crypto does for a million texts with a million promises. */

const K = new Uint32Array(64);
const H = new Uint32Array(8);
// The fractional parts of the square roots of the first 8 primes and of the cube roots of the first 64.
for (let n = 2, found = 0; found < 64; n++) {
  let isPrime = true;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false;
  if (!isPrime) continue;
  if (found < 8) H[found] = (Math.sqrt(n) % 1) * 2 ** 32;
  K[found++] = (Math.cbrt(n) % 1) * 2 ** 32;
}
const W = new Uint32Array(64);

/** The first 32 bits of the hash of an ASCII text of at most 55 characters. */
export function firstWord(text: string): number {
  W.fill(0, 0, 16);
  const { length } = text;
  for (let i = 0; i < length; i++) (W[i >> 2] as number) |= text.charCodeAt(i) << (24 - (i & 3) * 8);
  (W[length >> 2] as number) |= 0x80 << (24 - (length & 3) * 8);
  W[15] = length * 8;
  for (let i = 16; i < 64; i++) {
    const x = W[i - 15] as number;
    const y = W[i - 2] as number;
    W[i] = (W[i - 16] as number) + ((x >>> 7 | x << 25) ^ (x >>> 18 | x << 14) ^ x >>> 3)
      + (W[i - 7] as number) + ((y >>> 17 | y << 15) ^ (y >>> 19 | y << 13) ^ y >>> 10);
  }
  let [a, b, c, d, e, f, g, h] = H as unknown as [number, number, number, number, number, number, number, number];
  for (let i = 0; i < 64; i++) {
    const t = h + ((e >>> 6 | e << 26) ^ (e >>> 11 | e << 21) ^ (e >>> 25 | e << 7)) + (e & f ^ ~e & g) + (K[i] as number) + (W[i] as number) | 0;
    const u = ((a >>> 2 | a << 30) ^ (a >>> 13 | a << 19) ^ (a >>> 22 | a << 10)) + (a & b ^ a & c ^ b & c) | 0;
    h = g;
    g = f;
    f = e;
    e = d + t | 0;
    d = c;
    c = b;
    b = a;
    a = t + u | 0;
  }
  return a + (H[0] as number) >>> 0;
}
