/** The button in the corner: all that a page shows before the visitor wants to chat. */
import { css, parseHex, textOn, type Rgb } from "../colour.ts";
import { DEFAULT_COLOR, type Look } from "../look.ts";
import sheetText from "./launcher.css";

const SVG = "http://www.w3.org/2000/svg";

export interface Launcher {
  host: HTMLElement;
  root: ShadowRoot;
  button: HTMLButtonElement;
  showOpen(open: boolean): void;
  showUnread(count: number, label: string): void;
  /** Says on the button itself that the chat could not be loaded. */
  showFailure(text: string): void;
}

function icon(className: string, path: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  for (const [name, value] of Object.entries({
    class: className, viewBox: "0 0 24 24", fill: "none", stroke: "currentColor", "stroke-width": "2",
    "stroke-linecap": "round", "stroke-linejoin": "round", "aria-hidden": "true",
  })) svg.setAttribute(name, value);
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}

function span(className: string): HTMLSpanElement {
  const element = document.createElement("span");
  element.className = className;
  return element;
}

export function createLauncher(look: Look): Launcher {
  const host = document.createElement("frontdesk-widget");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(sheetText);
  root.adoptedStyleSheets = [sheet];

  const primary = parseHex(look.primaryColor ?? "") ?? (parseHex(DEFAULT_COLOR) as Rgb);
  const button = document.createElement("button");
  button.type = "button";
  button.className = look.position === "bottom-left" ? "launcher left" : "launcher";
  button.setAttribute("part", "launcher");
  button.setAttribute("aria-haspopup", "dialog");
  button.setAttribute("aria-expanded", "false");
  button.style.setProperty("--fd-primary", css(primary));
  button.style.setProperty("--fd-on-primary", css(textOn(primary)));

  const label = span("label");
  const badge = span("badge");
  badge.hidden = true;
  badge.setAttribute("aria-hidden", "true");
  const text = look.launcherLabel?.trim() ?? "";
  const name = text || "Chat";
  label.textContent = text;
  label.hidden = !text;
  button.setAttribute("aria-label", name);
  button.append(
    icon("chat", "M21 11.5a8.4 8.4 0 0 1-8.5 8.5 8.7 8.7 0 0 1-3.9-.9L3 21l1.9-5.4a8.2 8.2 0 0 1-.9-3.9"
      + "A8.4 8.4 0 0 1 12.5 3 8.4 8.4 0 0 1 21 11.5z"),
    icon("shut", "M6 9l6 6 6-6"),
    label,
    badge,
  );
  root.append(button);

  return {
    host,
    root,
    button,
    showOpen(open) {
      button.setAttribute("aria-expanded", String(open));
    },
    showUnread(count, described) {
      badge.hidden = count === 0;
      badge.textContent = count > 9 ? "9+" : String(count);
      button.setAttribute("aria-label", count ? `${name} (${described})` : name);
    },
    showFailure(reason) {
      label.textContent = reason || text;
      label.hidden = !label.textContent;
      button.setAttribute("aria-label", reason || name);
    },
  };
}
