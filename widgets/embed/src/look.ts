/**
 * The widget's look: the JSON object that the server puts in place of the placeholder in loader.js, so that
 * the launcher can be drawn without a second request. README.md describes how the server does it.
 */
export interface Look {
  /** The widget's public key, pk_…. */
  key: string;
  /** False: the script does nothing but keep window.Frontdesk callable. */
  active: boolean;
  /** The widget's name, the title of the panel until boot names it. */
  name?: string;
  /** CSS hex colours, #rgb or #rrggbb: launcher, own messages and buttons; the panel's header. */
  primaryColor?: string;
  secondaryColor?: string;
  position?: "bottom-right" | "bottom-left";
  /** Text on the launcher; empty: the round button only. */
  launcherLabel?: string;
  theme?: "light" | "dark" | "auto";
  /** BCP 47; absent: the page's language, then the browser's. */
  locale?: string | null;
  greeting?: string;
  /** URLs, absolute or relative to the script's own. */
  panelUrl: string;
  bootUrl: string;
}

export const DEFAULT_COLOR = "#4f46e5";
export const DEFAULT_SECONDARY = "#1e293b";
