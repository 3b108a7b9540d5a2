/** Fetches the panel, once, when it is wanted, and what it needs later. */
import { PANEL_SLOT, type MountPanel } from "../seam.ts";

type TrustedTypes = {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
};

/** A policy of a name is made once. */
let policy: ReturnType<TrustedTypes["createPolicy"]> | undefined;

/** A page with `require-trusted-types-for 'script'` takes no bare string as a script's address. */
function trusted(url: string): string {
  const factory = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  try {
    policy ??= factory?.createPolicy("frontdesk", { createScriptURL: (u) => u });
    return policy ? policy.createScriptURL(url) : url;
  } catch {
    return url;
  }
}

/**
 * Runs a script. A classic one with the loader's own nonce, so that whatever Content-Security-Policy let the loader in
 * lets this one in too. Rejects when it cannot be had.
 */
export function loadScript(url: string, nonce: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.async = true;
    if (nonce) script.nonce = nonce;
    script.onload = () => resolve();
    script.onerror = () => reject(new Error("frontdesk: a script could not be loaded"));
    script.src = trusted(url);
    document.head.append(script);
  });
}

/** The panel's mount function. Rejects when it cannot be had; the next call tries again. */
export function panelLoader(url: string, nonce: string): () => Promise<MountPanel> {
  let loading: Promise<MountPanel> | null = null;
  return () =>
    (loading ??= loadScript(url, nonce).then(() => {
      const mount = (window as unknown as Record<symbol, MountPanel | undefined>)[PANEL_SLOT];
      if (!mount) throw new Error("frontdesk: the panel did not start");
      return mount;
    }).catch((error: unknown) => {
      loading = null;
      throw error;
    }));
}
