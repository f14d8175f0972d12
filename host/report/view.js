// Small tools to make the document with. Text enters it through text nodes and attributes alone.

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(tag, attributes = {}, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

const count = (number) => number.toLocaleString('en-US');
const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;
const digits = (number, places) => (Number.isFinite(number) ? number.toFixed(places) : 'none');
// As many digits as it takes to tell distances of 0.01 and of 1,000 apart.
const distance = (number) => (number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2));

// Photos get their picture shortly before they come into sight.
const sources = new WeakMap();
const sight = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      sight.unobserve(entry.target);
      const source = sources.get(entry.target)();
      if (source) entry.target.src = source;
    }
  },
  { rootMargin: '400px' },
);

// source: gives a data: address, or null where there is no picture.
function photo(source, alt) {
  const image = element('img', { class: 'photo', alt, width: 150, height: 150, decoding: 'async' });
  sources.set(image, source);
  sight.observe(image);
  return image;
}

const name = (text, full) => element('span', { class: 'name', title: full }, text);
const facts = (pairs) =>
  element('dl', { class: 'facts' }, ...pairs.flatMap(([term, text]) => [element('dt', {}, term), element('dd', {}, text)]));

// A table of rows of text; numbers stand right.
function table(headings, rows) {
  const kind = (value) => (typeof value === 'number' || /^[\d.,]+(\s%)?$/.test(value) ? 'number' : undefined);
  const kinds = headings.map((_, column) => (rows.length ? kind(rows[0][column]) : undefined));
  const cell = (tag, value, column) => element(tag, { class: kinds[column] }, String(value));
  return element('div', { class: 'scroll' }, element('table', {},
    element('thead', {}, element('tr', {}, ...headings.map((text, column) => cell('th', text, column)))),
    element('tbody', {}, ...rows.map((row) => element('tr', {}, ...row.map((value, column) => cell('td', value, column)))))));
}

// One stop of the Tab key for a list of links; arrow keys, Home and End move inside it.
const stops = (list) => [...list.querySelectorAll('li:not([hidden]) > a')];

function setStop(list, link) {
  for (const other of list.querySelectorAll('a[tabindex="0"]')) other.tabIndex = -1;
  if (link) link.tabIndex = 0;
}

function columnsOf(list) {
  return getComputedStyle(list).gridTemplateColumns.split(' ').length;
}

function rove(list) {
  list.addEventListener('focusin', (event) => {
    const link = event.target.closest('a');
    if (link) setStop(list, link);
  });
  list.addEventListener('keydown', (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const links = stops(list);
    const place = links.indexOf(document.activeElement);
    const columns = columnsOf(list);
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: links.length - 1 - place };
    if (place < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = links[place + steps[event.key]];
    if (next) next.focus();
  });
}
