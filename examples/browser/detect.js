// Finds objects in a picture with model.onnx, a file of `m2det export`, by onnxruntime.

const MODEL = 'model.onnx';
const RUNTIME = './node_modules/onnxruntime-web/dist/ort.wasm.bundle.min.mjs';
// What the file tells about itself: its key, and its latest form known here.
const KEY = 'm2det', FORMAT = 1;
// Of ONNX's ModelProto and StringStringEntryProto.
const METADATA = 14, NAME = 1, VALUE = 2;
// OpenCV's weights of pixels are whole numbers of this sum.
const ONE = 2048;
// Phones have no larger canvas: a larger picture is made smaller.
const MOST_PIXELS = 16_000_000;
// A smaller picture is shown larger, so that its names can be read.
const LEAST_WIDTH = 900;
// Of the first classes, so that colour-blind people can tell them.
const COLORS = [
  [230, 80, 0], [0, 114, 178], [0, 158, 115], [240, 228, 66], [204, 121, 167],
  [86, 180, 233], [230, 159, 0],
];

// ---- The detector ----

/** Yield the numbers and values of a message of Protocol Buffers. */
function* fields(bytes) {
  let place = 0;
  const varint = () => {
    let value = 0, factor = 1, byte;
    do {
      byte = bytes[place++];
      value += (byte & 127) * factor;
      factor *= 128;
    } while (byte > 127);
    return value;
  };
  while (place < bytes.length) {
    const key = varint();
    const number = Math.floor(key / 8), kind = key % 8;
    if (kind === 0) {
      yield [number, varint()];
      continue;
    }
    const length = { 1: () => 8, 2: varint, 5: () => 4 }[kind]?.();
    if (length === undefined) throw new Error('no message');
    yield [number, bytes.subarray(place, place + length)];
    place += length;
  }
}

/** Return what a file tells about itself; onnxruntime-web does not read it. */
function readMetadata(bytes) {
  const text = (value) => new TextDecoder().decode(value);
  const foreign = `${MODEL} was not written by m2det export.`;
  let about;
  try {
    const entries = [...fields(bytes)].filter(([number]) => number === METADATA);
    const pairs = entries.map(([, entry]) => Object.fromEntries(fields(entry)));
    about = JSON.parse(text(pairs.find((pair) => text(pair[NAME]) === KEY)[VALUE]));
  } catch {
    throw new Error(foreign);
  }
  if (about.format !== FORMAT) {
    throw new Error(`${MODEL} has format ${about.format}, this page knows ${FORMAT}.`);
  }
  if (about.suppression === null) {
    throw new Error(`${MODEL} suppresses no boxes: export it with --nms soft or hard.`);
  }
  return about;
}

/** Load the runtime and the model. */
async function loadDetector() {
  const ort = await import(RUNTIME).catch(() => {
    throw new Error('There is no onnxruntime-web: run npm install in this folder.');
  });
  const answer = await fetch(MODEL, { cache: 'no-store' });
  if (!answer.ok) {
    throw new Error(`There is no ${MODEL} beside this page: write it by m2det export.`);
  }
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const about = readMetadata(bytes);
  // More threads need headers that a simple server does not send.
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes).catch((error) => {
    throw new Error(`${MODEL} cannot be run: ${error.message}`);
  });
  return { ort, session, about };
}

/** Return the rows and columns that a picture is resized to, before it is padded. */
function resizedTo({ height, width }, { size, preparation: how }) {
  let [rows, columns] = size ?? how.resize;
  if (!how.keep_ratio) return [rows, columns];
  // Its long side is that of the picture.
  if (!size && height > width !== rows > columns) [rows, columns] = [columns, rows];
  const scale = Math.min(rows / height, columns / width);
  return [height, width].map((side) => Math.max(1, Math.floor(side * scale + 0.5)));
}

/** Return the two pixels that each of `count` lies between, and their weights. */
function neighbours(length, count) {
  return Array.from({ length: count }, (_, index) => {
    const place = Math.max(0, ((index + 0.5) * length) / count - 0.5);
    const first = Math.min(Math.floor(place), length - 1);
    const second = Math.min(first + 1, length - 1);
    const near = place - first;
    return [first, second, Math.round((1 - near) * ONE), Math.round(near * ONE)];
  });
}

/** Resize, normalise and pad a picture: planes of 32-bit floats. */
function prepare({ data, height, width }, about) {
  const how = about.preparation;
  const [rows, columns] = resizedTo({ height, width }, about);
  const step = how.pad_divisor;
  const [fullHeight, fullWidth] =
    about.size ?? [rows, columns].map((side) => Math.ceil(side / step) * step);
  const values = new Float32Array(3 * fullHeight * fullWidth).fill(how.pad_value);
  const across = neighbours(width, columns), down = neighbours(height, rows);
  for (let channel = 0; channel < 3; channel++) {
    const from = how.rgb ? channel : 2 - channel;
    const mean = how.mean[channel], std = how.std[channel];
    // Whole numbers, with what OpenCV cuts off: its bilinear values to the last bit.
    const between = (row, [left, right, here, there]) =>
      (data[4 * (row * width + left) + from] * here +
        data[4 * (row * width + right) + from] * there) >> 4;
    down.forEach(([upper, lower, here, there], y) => {
      across.forEach((column, x) => {
        const sum = ((between(upper, column) * here) >> 16) +
          ((between(lower, column) * there) >> 16);
        const place = (channel * fullHeight + y) * fullWidth + x;
        values[place] = (((sum + 2) >> 2) - mean) / std;
      });
    });
  }
  const growth = [width / columns, height / rows];
  return { values, shape: [3, fullHeight, fullWidth], growth };
}

/** Leave a picture as it is: bytes, blue first. */
function asItIs({ data, height, width }) {
  const values = new Uint8Array(3 * height * width);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      values[3 * pixel + channel] = data[4 * pixel + 2 - channel];
    }
  }
  return { values, shape: [height, width, 3], growth: [1, 1] };
}

/** Return the objects in a picture, the best first: name, label, score and box. */
async function detect({ ort, session, about }, pixels) {
  const inside = about.preparation.inside;
  const { values, shape, growth } = inside ? asItIs(pixels) : prepare(pixels, about);
  const batch = about.batch ?? 1;
  const images = new values.constructor(batch * values.length);
  for (let index = 0; index < batch; index++) images.set(values, index * values.length);
  const kind = inside ? 'uint8' : 'float32';
  const input = new ort.Tensor(kind, images, [batch, ...shape]);
  const { boxes, scores, labels } = await session.run({ images: input });
  const limits = [pixels.width, pixels.height];
  const found = [];
  // Rows behind the last object have the label -1.
  for (let row = 0; row < scores.dims[1] && labels.data[row] >= 0; row++) {
    const label = Number(labels.data[row]);
    const box = [...boxes.data.subarray(4 * row, 4 * row + 4)].map((side, index) =>
      Math.min(Math.max(side * growth[index % 2], 0), limits[index % 2]));
    found.push({ name: about.classes[label], label, score: scores.data[row], box });
  }
  return found;
}

// ---- The page ----

const part = (id) => document.getElementById(id);
const canvas = part('picture'), lowest = part('lowest');
let shown = null; // The picture and what was found in it.

function tell(sentence, bad = false) {
  part('status').textContent = sentence;
  part('status').classList.toggle('bad', bad);
}

function colorOf(label) {
  const [red, green, blue] = COLORS[label] ?? [];
  return label < COLORS.length
    ? { paper: `rgb(${red} ${green} ${blue})`, ink: green > 140 ? '#000' : '#fff' }
    : { paper: `hsl(${(label * 137.5) % 360} 70% 40%)`, ink: '#fff' };
}

/** Read the pixels of a picture as they are stored, upright. */
async function readPicture(file) {
  const how = { imageOrientation: 'from-image', colorSpaceConversion: 'none' };
  const picture = await createImageBitmap(file, how).catch(() => {
    throw new Error(`${file.name} is no picture that this browser reads.`);
  });
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (picture.width * picture.height)));
  const [width, height] = [picture.width, picture.height].map((side) =>
    Math.max(1, Math.floor(side * scale)));
  const paper = new OffscreenCanvas(width, height);
  const pen = paper.getContext('2d', { willReadFrequently: true });
  pen.fillStyle = '#fff'; // Behind what is transparent.
  pen.fillRect(0, 0, width, height);
  pen.drawImage(picture, 0, 0, width, height);
  return { paper, pixels: pen.getImageData(0, 0, width, height) };
}

/** Draw the picture with the boxes that have the chosen score, and list them. */
function draw() {
  part('score').textContent = Number(lowest.value).toFixed(2);
  const { paper, found } = shown;
  const kept = found.filter(({ score }) => score >= lowest.value);
  const zoom = Math.max(1, LEAST_WIDTH / paper.width);
  canvas.width = paper.width * zoom;
  canvas.height = paper.height * zoom;
  const pen = canvas.getContext('2d');
  pen.drawImage(paper, 0, 0, canvas.width, canvas.height);
  const side = Math.sqrt(canvas.width * canvas.height);
  const letters = Math.round(8 + side / 60);
  pen.font = `600 ${letters}px system-ui, sans-serif`;
  pen.textBaseline = 'middle';
  pen.lineWidth = 1 + side / 300;
  for (const { name, label, score, box } of kept.toReversed()) {
    const [x1, y1, x2, y2] = box.map((value) => value * zoom);
    const { paper: color, ink } = colorOf(label);
    const text = `${name} ${score.toFixed(2)}`;
    pen.strokeStyle = pen.fillStyle = color;
    pen.strokeRect(x1, y1, x2 - x1, y2 - y1);
    const height = 1.4 * letters, width = pen.measureText(text).width + letters / 2;
    const left = Math.max(0, Math.min(x1, canvas.width - width));
    const top = Math.max(0, y1 - height);
    pen.fillRect(left, top, width, height);
    pen.fillStyle = ink;
    pen.fillText(text, left + letters / 4, top + height / 2);
  }
  part('objects').replaceChildren(...kept.map(rowOf));
  part('found').hidden = false;
  return kept.length;
}

function rowOf({ name, label, score, box }) {
  const row = document.createElement('tr');
  row.dataset.box = box.map((side) => side.toFixed(1)).join(' ');
  const sign = document.createElement('i');
  sign.style.background = colorOf(label).paper;
  row.insertCell().append(sign, name);
  row.insertCell().append(score.toFixed(3));
  return row;
}

function report() {
  const { name, found, time } = shown;
  const count = draw();
  const objects = count === 1 ? '1 object' : `${count} objects`;
  const more = found.length > count ? `, ${found.length - count} of a lower score` : '';
  tell(`${name}: ${objects}${more}. ${Math.round(time)} ms.`);
}

async function look(detector, file) {
  tell(`Looking at ${file.name}…`);
  part('found').hidden = true;
  shown = null;
  try {
    const { paper, pixels } = await readPicture(file);
    // So that the browser shows the sentence.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const start = performance.now();
    const found = await detect(detector, pixels);
    shown = { name: file.name, paper, found, time: performance.now() - start };
    report();
  } catch (error) {
    tell(error.message, true);
  }
}

async function start() {
  const detector = await loadDetector();
  const { about } = detector;
  const classes = about.classes.join(', ');
  part('about').textContent =
    `${about.name} knows ${classes}. The picture stays in this browser.`;
  tell('Ready.');
  const input = part('file'), drop = part('drop');
  input.disabled = false;
  let work = Promise.resolve(); // One picture after the other.
  const take = (files) => {
    if (files.length) work = work.then(() => look(detector, files[0]));
  };
  input.addEventListener('change', () => {
    take([...input.files]);
    input.value = ''; // So that the same picture can be chosen again.
  });
  for (const kind of ['dragover', 'dragleave', 'drop']) {
    document.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle('over', kind === 'dragover');
      if (kind === 'drop') take([...event.dataTransfer.files]);
    });
  }
  lowest.addEventListener('input', () => shown && report());
}

start().catch((error) => tell(error.message, true));
