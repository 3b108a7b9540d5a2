/** The one sentence that the launcher says itself; the panel brings its own words. */
const FAILED: Record<string, string> = {
  en: "Chat did not load. Try again",
  de: "Chat nicht geladen. Erneut versuchen",
  es: "El chat no se ha cargado. Reintentar",
  fr: "Le chat ne s’est pas chargé. Réessayer",
};

/** In the widget's language, else the page's, else the browser's, else English. */
export function failedToLoad(locale: string | null | undefined): string {
  const wanted = locale || document.documentElement.lang || navigator.language;
  return FAILED[wanted.slice(0, 2).toLowerCase()] ?? (FAILED["en"] as string);
}
