// The bar of tabs on narrow screens scrolls; where one is should be seen without scrolling it.

export function startNavigation() {
  const current = document.querySelector('.nav [aria-current]')?.closest('li');
  const bar = current?.parentElement;
  if (!bar || bar.scrollWidth <= bar.clientWidth) return;
  bar.scrollLeft = current.offsetLeft - (bar.clientWidth - current.offsetWidth) / 2;
}
