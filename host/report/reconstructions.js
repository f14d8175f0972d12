// Originals above what the network makes of them.

function pair(number, place) {
  const item = items[number];
  return element('li', {}, element('a', { class: 'tile', href: itemAddress(item) },
    photo(() => pictureOf(number), ''),
    photo(() => reconstruction(place), ''),
    name(shortName(item), nameOf(item)),
    element('span', { class: 'about' }, `+${digits(excessLoss(item), 4)}`)));
}

function pairsPanel(title, note, numbers, firstPlace) {
  return element('div', { class: 'panel' }, element('h3', {}, title), element('p', { class: 'note' }, note),
    element('ul', { class: 'pairs' }, ...numbers.map((number, i) => pair(number, firstPlace + i))));
}

function startReconstructions() {
  const page = document.getElementById('reconstruction-panels');
  if (!report.spread.length) {
    page.append(element('p', { class: 'lead' }, 'The catalog has no thumbnails to compare with.'));
    return;
  }
  page.append(
    element('p', { class: 'lead' }, 'The network squeezes each photo into 2,888 numbers and draws it again from them. What it draws well, it can compare.'),
    pairsPanel('Across the catalog', 'Originals above their reconstructions, evenly spread over the products shown. The number is the loss above that of a perfect copy.', report.spread, 0),
    pairsPanel('Worst of the products shown', 'By that number. The loss itself would not do: cross-entropy asks a price even of a perfect copy, which depends on the photo alone.',
      report.worst, report.spread.length));
}
