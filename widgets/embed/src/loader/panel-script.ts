/** Fetches the panel, once, when it is wanted. */
import { PANEL_SLOT, type MountPanel } from "../seam.ts";

type TrustedTypes = {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
};

/** A page with `require-trusted-types-for 'script'` takes no bare string as a script's address. */
function trusted(url: string): string {
  const factory = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  try {
    return factory ? factory.createPolicy("frontdesk", { createScriptURL: (u) => u }).createScriptURL(url) : url;
  } catch {
    return url;
  }
}

/**
 * The panel's mount function. A classic script with the loader's own nonce, so that whatever
 * Content-Security-Policy let the loader in lets the panel in too. Rejects when it cannot be had; the next
 * call tries again.
 */
export function panelLoader(url: string, nonce: string): () => Promise<MountPanel> {
  let loading: Promise<MountPanel> | null = null;
  return () =>
    (loading ??= new Promise<MountPanel>((resolve, reject) => {
      const script = document.createElement("script");
      script.async = true;
      if (nonce) script.nonce = nonce;
      script.onload = () => {
        const mount = (window as unknown as Record<symbol, MountPanel | undefined>)[PANEL_SLOT];
        if (mount) resolve(mount);
        else reject(new Error("frontdesk: the panel did not start"));
      };
      script.onerror = () => reject(new Error("frontdesk: the panel could not be loaded"));
      script.src = trusted(url);
      document.head.append(script);
    }).catch((error: unknown) => {
      loading = null;
      throw error;
    }));
}
