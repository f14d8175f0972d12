// The report's data and pictures, as the program wrote them.

const parsed = (id) => JSON.parse(document.getElementById(id).textContent);
const report = parsed('data');
const items = report.items;
const numberOfId = new Map(items.map((item, number) => [item.id, number]));

// Items come first in the numbering, then others: neighbours that are not in this page.
const isItem = (number) => number < items.length;
const product = (number) => (isItem(number) ? items[number] : report.others[number - items.length]);

// Ids hold any bytes; `shown` is there where an id cannot be read as it is.
const nameOf = (product) => product.shown ?? product.id;
const shortName = (product) => nameOf(product).split('/').pop() || nameOf(product);
const labelOf = (product) => (product.label === undefined ? '' : report.labels[product.label]);

// What is above the loss of a perfect copy; NaN where there is no picture.
const excessLoss = (item) => (item.loss === null ? NaN : item.loss - item.floor);
const nearestDistance = (item) => (item.near.length ? item.near[0][1] : NaN);

// Parsed when the first picture is needed: up to 50 MB of text.
let pictures = null;
const allPictures = () => (pictures ??= parsed('pictures'));
const jpeg = (base64) => (base64 ? `data:image/jpeg;base64,${base64}` : null);
const pictureOf = (number) => jpeg(allPictures().items[number]);
const reconstruction = (place) => jpeg(allPictures().reconstructions[place]);
