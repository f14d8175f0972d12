// Which view is shown follows from the address, so that the back button works and every product has a link.

const views = Object.fromEntries(['products', 'item', 'training', 'reconstructions']
  .map((name) => [name, document.getElementById(`view-${name}`)]));
let current = null; // the view's name
let opened = null; // number of the item shown last
let galleryScroll = 0;
history.scrollRestoration = 'manual';

// {view, number} of the address; products for what is none of ours.
function place() {
  const hash = location.hash.slice(1);
  if (hash.startsWith('item/')) {
    try {
      const number = numberOfId.get(decodeURIComponent(hash.slice(5)));
      if (number !== undefined) return { view: 'item', number };
    } catch (error) {
      if (!(error instanceof URIError)) throw error;
    }
  }
  return { view: Object.hasOwn(views, hash) && hash !== 'item' ? hash : 'products' };
}

function show() {
  const { view, number } = place();
  const first = current === null;
  if (current === 'products') galleryScroll = scrollY;
  for (const [name, section] of Object.entries(views)) section.hidden = name !== view;
  for (const link of document.querySelectorAll('.top nav a')) {
    const here = link.hash === `#${view}` || (view === 'item' && link.hash === '#products');
    if (here) link.setAttribute('aria-current', link.hash === `#${view}` ? 'page' : 'true');
    else link.removeAttribute('aria-current');
  }
  let heading = views[view].querySelector('h2');
  if (view === 'item') {
    heading = showItem(number);
    opened = number;
  }
  document.title = `${view === 'products' ? report.catalog.name : heading.textContent} - Lookalike`;
  const back = view === 'products' && !first;
  scrollTo(0, back ? galleryScroll : 0);
  current = view;
  if (first) return;
  const tile = back && opened !== null && !tiles[opened].hidden ? tiles[opened].firstElementChild : null;
  (tile ?? heading).focus({ preventScroll: tile === null });
}

function typing(target) {
  return target instanceof HTMLInputElement || target instanceof HTMLSelectElement;
}

addEventListener('keydown', (event) => {
  if (event.isComposing || event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) return;
  if (event.key === '/' && !typing(event.target)) {
    event.preventDefault();
    if (current !== 'products') location.hash = '#products';
    // After the view has changed.
    setTimeout(() => { search.focus(); search.select(); });
  } else if (event.key === 'Escape') {
    if (event.target === search) {
      search.value = '';
      filterGallery();
      stops(grid)[0]?.focus();
    } else if (current !== 'products') {
      location.hash = '#products';
    }
  }
});
addEventListener('hashchange', show);

startGallery();
rove(document.getElementById('near'));
startTraining();
startReconstructions();
show();
