/** Days and times as the visitor's language writes them. */
import type { Strings } from "../strings/en.ts";

export const clockTime = (timestamp: string, locale: string): string =>
  new Intl.DateTimeFormat(locale, { hour: "numeric", minute: "2-digit" }).format(new Date(timestamp));

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
