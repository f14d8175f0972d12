// All products: search, filter, order.

const grid = document.getElementById('grid');
const search = document.getElementById('search');
const labelFilter = document.getElementById('label');
const order = document.getElementById('order');
let tiles = []; // of each item, by number

const itemAddress = (item) => `#item/${encodeURIComponent(item.id)}`;

function galleryTile(item, number) {
  const label = labelOf(item);
  return element('li', {}, element('a', { class: 'tile', href: itemAddress(item), tabindex: -1 },
    photo(() => pictureOf(number), ''),
    name(shortName(item), nameOf(item)),
    label ? element('span', { class: 'about name' }, label) : null));
}

const orders = {
  listed: () => 0,
  alike: (a, b) => nearestDistance(a) - nearestDistance(b),
  unlike: (a, b) => nearestDistance(b) - nearestDistance(a),
  worst: (a, b) => excessLoss(b) - excessLoss(a),
};

// Numbers of all items, those without a value last.
function ordered(how) {
  const numbers = items.map((_, number) => number);
  return numbers.sort((a, b) => {
    const difference = orders[how](items[a], items[b]);
    if (!Number.isNaN(difference)) return difference || a - b;
    return Number.isNaN(orders[how](items[a], items[a])) - Number.isNaN(orders[how](items[b], items[b])) || a - b;
  });
}

function filterGallery() {
  const wanted = search.value.trim().toLowerCase();
  const label = labelFilter.value;
  let shown = 0;
  items.forEach((item, number) => {
    const found = (nameOf(item).toLowerCase().includes(wanted) || item.id.toLowerCase().includes(wanted))
      && (label === '' || String(item.label ?? 'none') === label);
    tiles[number].hidden = !found;
    shown += found;
  });
  document.getElementById('count').textContent = shown === items.length
    ? plural(shown, 'product', 'products')
    : `${plural(shown, 'product', 'products')} of ${count(items.length)}`;
  setStop(grid, stops(grid)[0]);
}

function orderGallery() {
  grid.append(...ordered(order.value).map((number) => tiles[number]));
  setStop(grid, stops(grid)[0]);
}

function fillLabels() {
  const sizes = new Map();
  for (const item of items) sizes.set(item.label ?? 'none', (sizes.get(item.label ?? 'none') ?? 0) + 1);
  const options = [...sizes].map(([label, size]) => [label, label === 'none' ? 'without a label' : report.labels[label], size]);
  options.sort((a, b) => a[1].localeCompare(b[1]));
  labelFilter.append(element('option', { value: '' }, 'All labels'),
    ...options.map(([label, text, size]) => element('option', { value: label }, `${text} (${count(size)})`)));
  labelFilter.closest('label').hidden = sizes.size < 2;
}

function describeCatalog() {
  const { encoded, listed, complete } = report.catalog;
  document.getElementById('catalog').textContent = report.catalog.name;
  let text = 'Pick a product to see what looks like it.';
  if (items.length < encoded) {
    text += ` These are ${count(items.length)} of ${count(encoded)}, evenly spread; neighbours come from all of them.`;
  }
  if (!complete) text += ` The catalog is not finished: ${count(encoded)} of ${count(listed)} photos are in it.`;
  if (report.halved) text += ' Pictures are at half size, so that this file stays within 50 MB.';
  document.getElementById('lead').textContent = text;
}

function startGallery() {
  describeCatalog();
  fillLabels();
  tiles = items.map(galleryTile);
  grid.append(...tiles);
  rove(grid);
  filterGallery();
  search.addEventListener('input', filterGallery);
  labelFilter.addEventListener('change', filterGallery);
  order.addEventListener('change', orderGallery);
  search.form.addEventListener('submit', (event) => event.preventDefault());
  search.addEventListener('keydown', (event) => {
    if (event.isComposing || (event.key !== 'ArrowDown' && event.key !== 'Enter')) return;
    event.preventDefault();
    stops(grid)[0]?.focus();
  });
}
