/** Puts text on the clipboard and says so. */
import { h } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** False where the browser lets neither way do it. */
export async function copyText(text: string, ui: Ui): Promise<boolean> {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false) ?? false;
  const copied = done || copyBySelection(text);
  if (copied) ui.actions.announce(ui.language.strings.copied);
  return copied;
}

/** For pages without https or with a permissions policy that closes the clipboard. */
function copyBySelection(text: string): boolean {
  const area = h("textarea", { value: text, readOnly: true, "aria-hidden": "true" });
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  try {
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    area.remove();
  }
}
