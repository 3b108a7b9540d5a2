/** Picks the widget's language; a language is one file of strings in this folder and one line here. */
import { de } from "./de.ts";
import { en, type Strings } from "./en.ts";
import { es } from "./es.ts";
import { fr } from "./fr.ts";

const LANGUAGES: Record<string, Strings> = { en, de, es, fr };
const RIGHT_TO_LEFT = new Set(["ar", "arc", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi"]);

export interface Language {
  /** BCP 47: what dates and numbers are written in. */
  locale: string;
  /** The language that the strings are in; another than the locale's where there is no translation. */
  stringsIn: string;
  direction: "ltr" | "rtl";
  strings: Strings;
}

const primary = (locale: string): string => (locale.split(/[-_]/)[0] as string).toLowerCase();

function isLocale(tag: string | null | undefined): tag is string {
  try {
    return Boolean(tag) && new Intl.Locale(tag as string) !== null;
  } catch {
    return false;
  }
}

/** The first of the wanted locales that is one; its language's strings, else English. */
export function languageFor(wanted: readonly (string | null | undefined)[]): Language {
  const locale = wanted.map((tag) => tag?.replace("_", "-")).find(isLocale) ?? "en";
  const spoken = primary(locale);
  const stringsIn = Object.hasOwn(LANGUAGES, spoken) ? spoken : "en";
  return {
    locale,
    stringsIn,
    direction: RIGHT_TO_LEFT.has(spoken) ? "rtl" : "ltr",
    strings: LANGUAGES[stringsIn] as Strings,
  };
}

/** The text with {name} replaced. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ""));
}
