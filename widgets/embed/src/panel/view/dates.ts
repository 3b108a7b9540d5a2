/** Days and times as the visitor's language writes them. */
import type { Strings } from "../strings/en.ts";
import { h } from "./dom.ts";

/** Made once per language: it costs more than all the rest of a message. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clock(locale: string): Intl.DateTimeFormat {
  let made = clocks.get(locale);
  if (!made) clocks.set(locale, (made = new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" })));
  return made;
}

/** The time of day; the whole date where one points at it. */
export function time(timestamp: string, { language: { locale } }: { language: { locale: string } }): HTMLElement {
  const at = new Date(timestamp);
  return h("time", { dateTime: timestamp, title: at.toLocaleString(locale) }, clock(locale).format(at));
}

/** Today, yesterday, or the date; the year only where it is another one. */
export function dayName(timestamp: string, locale: string, strings: Strings, now = new Date()): string {
  const day = new Date(timestamp);
  const midnight = (d: Date): number => new Date(d.getFullYear(), d.getMonth(), d.getDate()).getTime();
  const ago = Math.round((midnight(now) - midnight(day)) / 86_400_000);
  if (ago === 0) return strings.today;
  if (ago === 1) return strings.yesterday;
  const year = day.getFullYear() === now.getFullYear() ? {} : ({ year: "numeric" } as const);
  return new Intl.DateTimeFormat(locale, { weekday: "long", day: "numeric", month: "long", ...year }).format(day);
}
