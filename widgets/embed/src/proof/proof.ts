/**
 * /widget/v1/proof.js: solves a proof of work, fetched only where boot asks for one. It works in slices of the page's
 * own thread, shorter than a frame's: a worker would need an address of the page's own origin, or a policy that allows
 * blobs.
 */
import type { ProofChallenge } from "../protocol.ts";
import { PROOF_SLOT, type SolveProof } from "../seam.ts";
import { firstWord } from "./sha256.ts";

const SLICE_MS = 8;
/** How many hashes are made between two looks at the clock. */
const BATCH = 256;

/** Lets the page draw and answer before it goes on. Not by a timer: those wait for a second where the tab is hidden. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(0);
  });
}

export const solve: SolveProof = async ({ seed, count, bits }: ProofChallenge) => {
  const numbers: number[] = [];
  for (let until = performance.now() + SLICE_MS, number = 0; numbers.length < count;) {
    const start = `${seed}.${numbers.length}.`;
    const end = number + BATCH;
    while (number < end && firstWord(start + number) >>> (32 - bits)) number++;
    if (number < end) {
      numbers.push(number);
      number = 0;
    }
    if (performance.now() >= until) {
      await pause();
      until = performance.now() + SLICE_MS;
    }
  }
  return numbers;
};

if (typeof window !== "undefined") (window as unknown as Record<symbol, SolveProof>)[PROOF_SLOT] = solve;
