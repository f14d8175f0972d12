// What was trained and on what: loss curve, settings, counts, refusals, and what labels say of the result.

const settingNames = {
  batch_size: 'batch size', learning_rate: 'learning rate', validation: 'validation share', instruction_set: 'instruction set',
  photos: 'list of photos', validation_photos: 'list of validation photos', contents: 'photos\u2019 contents',
  validation_contents: 'validation photos\u2019 contents', photo_rule: 'photo rule', shard_rows: 'photos a shard',
};

// Settings as a list; hashes, which only tell whether two things are the same, out of the way.
function settingsPanel(title, settings) {
  const isHash = (value) => /(^| )[0-9a-f]{32}$/.test(value);
  const list = (wanted) => facts(settings.filter(([, value]) => isHash(value) === wanted).map(([name, value]) => [settingNames[name] ?? name, value]));
  if (!settings.length) return element('div', { class: 'panel' }, element('h3', {}, title), element('p', { class: 'note' }, 'The model holds none: it was made elsewhere.'));
  return element('div', { class: 'panel' }, element('h3', {}, title), list(false),
    element('details', {}, element('summary', {}, 'Fingerprints'), list(true)));
}

// Round numbers that cover low .. high in about `wanted` steps.
function ticks(low, high, wanted) {
  const rough = (high - low || 1) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
  const marks = [];
  for (let mark = Math.ceil(low / step); mark * step <= high + step * 1e-9; mark += 1) marks.push(mark * step);
  return marks;
}

// The history as SVG, `width` pixels wide.
function lossCurve(rows, width) {
  const height = Math.max(200, Math.min(320, width * 0.5));
  const left = 52, right = 84, top = 12, bottom = 36;
  const series = [['training', 'loss'], ['validation', 'validation']]
    .map(([label, key]) => [label, rows.filter((row) => row[key] !== null).map((row) => [row.epoch, row[key]])])
    .filter(([, points]) => points.length);
  const values = series.flatMap(([, points]) => points.map((point) => point[1]));
  const spread = Math.max(...values) - Math.min(...values) || 0.1;
  const low = Math.min(...values) - 0.08 * spread, high = Math.max(...values) + 0.08 * spread;
  const first = rows[0].epoch, last = Math.max(rows[rows.length - 1].epoch, first + 1);
  const x = (epoch) => left + ((epoch - first) / (last - first)) * (width - left - right);
  const y = (loss) => top + ((high - loss) / (high - low)) * (height - top - bottom);

  const ends = series.map(([label, points]) => `${label} loss from ${digits(points[0][1], 4)} to ${digits(points[points.length - 1][1], 4)}`);
  const chart = drawn('svg', { class: 'chart', role: 'img', viewBox: `0 0 ${width} ${height}`, height, 'aria-label': `Loss by epoch: ${ends.join(', ')}` });
  const lossMarks = ticks(low, high, 4);
  const places = Math.max(2, Math.ceil(-Math.log10((lossMarks[1] ?? 1) - lossMarks[0]) - 1e-9));
  for (const mark of lossMarks) {
    chart.append(drawn('line', { class: 'rule', x1: left, x2: width - right, y1: y(mark), y2: y(mark) }),
      drawn('text', { x: left - 8, y: y(mark) + 4, 'text-anchor': 'end' }, mark.toFixed(places)));
  }
  for (const mark of ticks(first, last, Math.max(2, Math.floor(width / 90))).filter(Number.isInteger)) {
    chart.append(drawn('text', { x: x(mark), y: height - bottom + 20, 'text-anchor': 'middle' }, String(mark)));
  }
  chart.append(drawn('text', { x: width - right, y: height - 2, 'text-anchor': 'end' }, 'epoch'));

  // Names at the curves' ends, pushed apart where those meet.
  const labels = series.map(([label, points]) => ({ label, x: x(points[points.length - 1][0]) + 10, y: y(points[points.length - 1][1]) + 4 }))
    .sort((a, b) => a.y - b.y);
  for (let i = 1; i < labels.length; i += 1) labels[i].y = Math.max(labels[i].y, labels[i - 1].y + 15);
  for (const [label, points] of series) {
    chart.append(drawn('polyline', { class: `curve ${label}`, points: points.map(([epoch, loss]) => `${x(epoch)},${y(loss)}`).join(' ') }));
    const marked = label === 'validation' || series.length === 1 ? points.filter(([epoch]) => epoch === report.model.epoch) : [];
    for (const [epoch, loss] of points.length === 1 ? points : marked) {
      chart.append(drawn('circle', { class: label, cx: x(epoch), cy: y(loss), r: 4 }));
    }
  }
  for (const { label, x: place, y: line } of labels) chart.append(drawn('text', { class: label, x: place, y: line }, label));
  return chart;
}

function historyPanel() {
  const panel = element('div', { class: 'panel' }, element('h3', {}, 'Loss'));
  const rows = report.history;
  if (!rows.length) {
    panel.append(element('p', { class: 'note' }, 'There is no history: the catalog was made from a model without metrics.csv beside it.'));
    return panel;
  }
  const place = element('div');
  let drawnWidth = 0;
  new ResizeObserver(() => {
    const width = Math.floor(place.clientWidth);
    if (width === 0 || width === drawnWidth) return;
    drawnWidth = width;
    place.replaceChildren(lossCurve(rows, width));
  }).observe(place);
  panel.append(
    element('p', { class: 'note' }, `Binary cross-entropy, mean over all pixels. The circle marks epoch ${report.model.epoch}, whose weights are used.`),
    place,
    element('details', {}, element('summary', {}, 'The numbers'),
      table(['epoch', 'training loss', 'validation loss', 'seconds'], rows.map((row) =>
        [row.epoch, digits(row.loss, 6), row.validation === null ? '' : digits(row.validation, 6), digits(row.seconds, 1)]))));
  return panel;
}

const figures = (pairs) => element('dl', { class: 'figures' },
  ...pairs.map(([term, value]) => element('div', {}, element('dt', {}, term), element('dd', {}, value))));

// How often a neighbour carries the product's own label, by label, and what chance would give.
function labelPanel() {
  const labelled = items.filter((item) => item.label !== undefined && item.near.length);
  const groups = new Map();
  for (const item of labelled) {
    const group = groups.get(item.label) ?? { size: 0, first: 0, same: 0, all: 0 };
    group.size += 1;
    group.first += product(item.near[0][0]).label === item.label;
    group.same += item.near.filter(([other]) => product(other).label === item.label).length;
    group.all += item.near.length;
    groups.set(item.label, group);
  }
  if (groups.size < 2) return null;
  const sum = (key) => [...groups.values()].reduce((total, group) => total + group[key], 0);
  const chance = [...groups.values()].reduce((total, { size }) => total + (size / labelled.length) * ((size - 1) / (labelled.length - 1)), 0);
  const longest = 20;
  const rows = [...groups].sort((a, b) => b[1].size - a[1].size).slice(0, longest).map(([label, group]) =>
    [report.labels[label], count(group.size), percent(group.first / group.size), percent(group.same / group.all)]);
  return element('div', { class: 'panel' },
    element('h3', {}, 'Judged by labels'),
    element('p', { class: 'note' }, `The network never saw a label. Of the products shown, ${percent(sum('first') / labelled.length)} have a nearest neighbour of their own label; `
      + `a neighbour picked at random would carry it in ${percent(chance)}.`),
    table(['label', 'products', 'nearest', `all ${Math.max(...items.map((item) => item.near.length))}`], rows),
    groups.size > longest ? element('p', { class: 'note' }, `and ${count(groups.size - longest)} smaller labels`) : null);
}

// The catalog's codes beside what costs nothing to make.
function evaluationPanel() {
  const evaluation = report.evaluation;
  if (!evaluation) return null;
  const { labelled, unlabelled, judged, alone, labels, at, codes } = evaluation;
  const left = [[unlabelled, 'without a label'], [alone, 'alone under theirs']].filter(([size]) => size).map(([size, why]) => `${count(size)} ${why}`);
  return element('div', { class: 'panel' },
    element('h3', {}, 'What the network is worth'),
    element('p', { class: 'note' }, `How many of a product\u2019s first ${at.join(', ')} neighbours carry its label, and how early all of that label come (mean average precision), `
      + `by what the products are compared with. Judged on ${judged < labelled ? `an even sample of ${count(judged)} of ` : ''}${plural(labelled, 'labelled product', 'labelled products')} `
      + `under ${plural(labels, 'label', 'labels')}${left.length ? `; left out as queries: ${left.join(', ')}` : ''}.`),
    table(['compared by', 'numbers', ...at.map((k) => `first ${k}`), 'average precision'],
      codes.map(([name, numbers, ...shares]) => [name, numbers ? count(numbers) : '', ...shares.map(percent)])));
}

function refusalPanel() {
  const { reasons, first } = report.refusals;
  if (!reasons.length) return null;
  return element('div', { class: 'panel' },
    element('h3', {}, 'Refused photos'),
    table(['reason', 'photos'], reasons.map(([reason, size]) => [reason, count(size)])),
    element('details', {}, element('summary', {}, first.length < report.catalog.refused ? `The first ${first.length}` : 'All of them'),
      table(['photo', 'reason'], first)));
}

function startTraining() {
  const { catalog, model } = report;
  const [start] = report.history;
  const shown = [];
  if (start) {
    shown.push(['photos trained on', count(Math.round(start.images / start.epoch))],
      ['epochs', count(report.history[report.history.length - 1].epoch)]);
  }
  shown.push(['best loss', digits(model.loss, 4)], ['products encoded', count(catalog.encoded)], ['photos refused', count(catalog.refused)]);
  const panels = [historyPanel(), labelPanel(), evaluationPanel(), settingsPanel('Settings of the training', model.settings),
    settingsPanel('Settings of the catalog', catalog.settings), refusalPanel()];
  document.getElementById('training-panels').append(figures(shown), element('div', { class: 'panels' }, ...panels.filter(Boolean)));
}
