// One product and its neighbours.

function neighbourTile(item, [number, value]) {
  const other = product(number);
  const label = labelOf(other);
  const same = label !== '' && other.label === item.label;
  const inside = isItem(number);
  const parts = [
    photo(() => pictureOf(number), ''),
    element('span', { class: 'distance' }, distance(value)),
    name(shortName(other), nameOf(other)),
    label ? element('span', { class: same ? 'about name same' : 'about name' }, label) : null,
    inside ? null : element('span', { class: 'about' }, 'not in this page'),
  ];
  return element('li', {}, inside
    ? element('a', { class: 'tile', href: itemAddress(other), tabindex: -1 }, ...parts)
    : element('div', { class: 'tile' }, ...parts));
}

function itemFacts(item) {
  const label = labelOf(item);
  const pairs = [];
  if (label) pairs.push(['Label', label]);
  pairs.push(['Photo', `${count(item.width)} \u00d7 ${count(item.height)} pixels`]);
  if (item.loss !== null) pairs.push(['Loss', `${digits(item.loss, 4)}, ${digits(excessLoss(item), 4)} above a perfect copy`]);
  return facts(pairs);
}

// Lines break after a folder.
function breakable(text) {
  return text.split('/').flatMap((part, i) => (i === 0 ? [part] : ['/', element('wbr'), part]));
}

function showItem(number) {
  const item = items[number];
  const heading = element('h2', { tabindex: -1, class: 'name' }, ...breakable(nameOf(item)));
  document.getElementById('subject').replaceChildren(
    element('a', { class: 'back', href: '#products' }, '\u2190 All products'),
    photo(() => pictureOf(number), `Photo of ${nameOf(item)} as the network saw it`),
    heading,
    itemFacts(item));

  document.getElementById('near-title').textContent = item.near.length ? 'Looks like' : 'There is no other product';
  const near = document.getElementById('near');
  near.replaceChildren(...item.near.map((neighbour) => neighbourTile(item, neighbour)));
  setStop(near, stops(near)[0]);

  const labelled = item.near.filter(([other]) => product(other).label !== undefined);
  const same = labelled.filter(([other]) => product(other).label === item.label).length;
  document.getElementById('near-note').textContent = 'Under each photo: its Euclidean distance, the smallest first.'
    + (item.label !== undefined && labelled.length ? ` ${count(same)} of ${count(item.near.length)} carry the same label.` : '');
  return heading;
}
