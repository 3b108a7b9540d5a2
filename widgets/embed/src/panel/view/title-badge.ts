/** The number of unread messages before the page's title, as it is read in the tab. */

export function titleBadge(): (count: number) => void {
  let shown = "";
  return (count) => {
    // The page may have set a title of its own meanwhile: only what we put there is taken away.
    const own = document.title.startsWith(shown) ? document.title.slice(shown.length) : document.title;
    const next = count ? `(${count}) ` : "";
    if (next !== shown) document.title = next + own;
    shown = next;
  };
}
