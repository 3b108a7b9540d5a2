/** Light or dark, and the tenant's colours where they can be read. */
import { css, parseHex, readableOn, textOn, type Rgb } from "../../colour.ts";
import { DEFAULT_COLOR, DEFAULT_SECONDARY } from "../../look.ts";

export type Theme = "light" | "dark" | "auto";

/** The darkest or lightest surface that coloured text lies on; panel.css has the same. */
const SURFACES: Record<"light" | "dark", Rgb> = { light: [244, 244, 247], dark: [38, 38, 45] };

/** Keeps the element in the theme; "auto" follows the visitor's system. Returns what ends that. */
export function applyTheme(element: HTMLElement, theme: Theme, primaryColor?: string, secondaryColor?: string): () => void {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const primary = parseHex(primaryColor ?? "") ?? (parseHex(DEFAULT_COLOR) as Rgb);
  const secondary = parseHex(secondaryColor ?? "") ?? (parseHex(DEFAULT_SECONDARY) as Rgb);
  const draw = (): void => {
    const shown = theme === "auto" ? (dark.matches ? "dark" : "light") : theme;
    element.dataset["theme"] = shown;
    element.style.setProperty("--primary", css(primary));
    element.style.setProperty("--on-primary", css(textOn(primary)));
    element.style.setProperty("--secondary", css(secondary));
    element.style.setProperty("--on-secondary", css(textOn(secondary)));
    element.style.setProperty("--accent", css(readableOn(SURFACES[shown], primary, 4.5)));
  };
  draw();
  dark.addEventListener("change", draw);
  return () => dark.removeEventListener("change", draw);
}
