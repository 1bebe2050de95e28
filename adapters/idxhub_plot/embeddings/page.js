
'use strict';
(() => {
  const {KDBush, interrupt, select, zoom, zoomIdentity} = library;
  const byId = (id) => document.getElementById(id);
  const number = (value) => value.toLocaleString('en');

  // ---- the data: points in the order in which they are drawn -------------------------------------------------------

  const {classes, colours, parts, total, sheetSize, height, width} = JSON.parse(byId('description').textContent);
  const coordinates = new Float32Array(decoded(byId('coordinates')).buffer); // from -1 to 1, except for those that are far away
  const labels = new Uint16Array(decoded(byId('labels')).buffer);
  const indices = new Uint32Array(decoded(byId('indices')).buffer); // of a point: the position of its image in the split
  const places = new Uint32Array(decoded(byId('places')).buffer); // of a point: the place of its image in the sheets
  const count = labels.length;
  const pointOf = new Map(Array.from(indices, (index, point) => [index, point]));
  const rgb = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  const tree = new KDBush(count, 64, Float32Array);
  for (let point = 0; point < count; point++) tree.add(coordinates[2 * point], coordinates[2 * point + 1]);
  tree.finish();

  function decoded(element) {
    const text = atob(element.textContent);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return bytes;
  }

  /** The name of a point's image, as a split string: test[12]. */
  function nameOf(point) {
    let index = indices[point];
    for (const [name, start, stop] of parts) {
      if (index < stop - start) return `${name}[${start + index}]`;
      index -= stop - start;
    }
    return String(indices[point]);
  }

  // ---- the images: sheets of PNG, decoded when they are asked for --------------------------------------------------

  const sheets = new Map();
  const parsed = new Promise((resolve) => {
    if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', resolve);
    else resolve();
  });

  async function readSheet(which) {
    await parsed; // the sheets are at the end of the file
    const element = byId(`sheet-${which}`);
    const file = new Blob([decoded(element)], {type: 'image/png'});
    element.remove(); // its memory is needed no more
    const bitmap = await createImageBitmap(file, {colorSpaceConversion: 'none', premultiplyAlpha: 'none'});
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.drawImage(bitmap, 0, 0);
    const {data} = context.getImageData(0, 0, bitmap.width, bitmap.height);
    const grey = new Uint8Array(data.length / 4);
    for (let i = 0; i < grey.length; i++) grey[i] = data[4 * i];
    return grey;
  }

  /** The pixels of a point's image, (height, width): a promise. */
  async function imageOf(point) {
    const which = Math.floor(places[point] / sheetSize);
    if (!sheets.has(which)) sheets.set(which, readSheet(which));
    const grey = await sheets.get(which);
    const start = (places[point] % sheetSize) * height * width;
    return grey.subarray(start, start + height * width);
  }

  /** Draw a point's image into a canvas, unless the canvas is given to another point meanwhile. */
  async function draw(canvas, point) {
    canvas.dataset.point = point;
    const grey = await imageOf(point);
    if (canvas.dataset.point !== String(point)) return;
    canvas.width = width;
    canvas.height = height;
    const image = new ImageData(width, height);
    for (let i = 0; i < grey.length; i++) image.data.set([grey[i], grey[i], grey[i], 255], 4 * i);
    canvas.getContext('2d').putImageData(image, 0, 0);
    canvas.dataset.image = nameOf(point);
  }

  // ---- which classes are shown -------------------------------------------------------------------------------------

  const shown = classes.map(() => true);
  const boxes = [];

  function fillClasses() {
    const sizes = classes.map(() => 0);
    for (const label of labels) sizes[label]++;
    classes.forEach((name, label) => {
      const row = document.createElement('li');
      const outer = document.createElement('label');
      const box = Object.assign(document.createElement('input'), {type: 'checkbox', checked: true});
      const text = Object.assign(document.createElement('span'), {textContent: name});
      const size = Object.assign(document.createElement('small'), {textContent: number(sizes[label])});
      outer.style.setProperty('--colour', colours[label]);
      outer.append(box, document.createElement('i'), text, size);
      box.addEventListener('change', () => show((each) => (each === label ? box.checked : shown[each])));
      outer.addEventListener('dblclick', () => show((each) => each === label));
      boxes.push(box);
      row.append(outer);
      byId('classes').append(row);
    });
  }

  function show(isShown) {
    classes.forEach((_, label) => {
      shown[label] = isShown(label);
      boxes[label].checked = shown[label];
    });
    const visible = Uint32Array.from(labels.keys()).filter((point) => shown[labels[point]]);
    plot.setPoints(visible);
    byId('drawn').textContent = visible.length === 1 ? '1 image' : `${number(visible.length)} images`;
    if (chosen !== null && !shown[labels[chosen]]) choose(null);
    hover(null);
    redraw();
    showThumbnailsSoon();
  }

  // ---- the view ----------------------------------------------------------------------------------------------------

  const stage = byId('stage');
  const calm = matchMedia('(prefers-reduced-motion: reduce)');
  const zooming = zoom().scaleExtent([0.5 / farthest(), 4096]).on('zoom', onZoom);
  let middle = [0, 0]; // the coordinates at the centre of the stage
  let moved = zoomIdentity; // how the stage was zoomed and moved from where it shows everything
  let chosen = null;
  let hovered = null;
  let showsImages = true;

  /** The largest coordinate. */
  function farthest() {
    return coordinates.reduce((most, each) => Math.max(most, Math.abs(each)), 1);
  }

  /** Pixels for a unit of the coordinates, where everything is shown. */
  const wholeScale = () => Math.max(60, Math.min(stage.clientWidth, stage.clientHeight) - 48) / 2;
  const scale = () => moved.k * wholeScale();

  /** The place of coordinates on the stage, in pixels. */
  function toStage(x, y) {
    return moved.apply([stage.clientWidth / 2 + x * wholeScale(), stage.clientHeight / 2 - y * wholeScale()]);
  }

  /** The coordinates of a place on the stage. */
  function fromStage(left, top) {
    const [x, y] = moved.invert([left, top]);
    return [(x - stage.clientWidth / 2) / wholeScale(), (stage.clientHeight / 2 - y) / wholeScale()];
  }

  function onZoom({transform}) {
    isMoving = true;
    hover(null); // another point is under the pointer now
    moved = transform;
    middle = fromStage(stage.clientWidth / 2, stage.clientHeight / 2);
    redraw();
    showThumbnailsSoon();
  }

  /** The stage, for a change of the view: in a moment of motion, unless the reader wants none. */
  function smoothly() {
    interrupt(stage);
    return calm.matches ? select(stage) : select(stage).transition().duration(300);
  }

  const showWhole = () => zooming.transform(smoothly(), zoomIdentity);
  const zoomBy = (factor) => zooming.scaleBy(smoothly(), factor);
  const moveBy = (right, down) => zooming.translateBy(smoothly(), -right / moved.k, -down / moved.k);

  /** Bring coordinates to the centre, `k` times as near as where everything is shown. */
  function moveTo(x, y, k) {
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    const there = zoomIdentity.translate(width / 2, height / 2).scale(k);
    zooming.transform(smoothly(), there.translate(-width / 2 - x * wholeScale(), -height / 2 + y * wholeScale()));
  }

  function onResize() {
    const [x, y] = middle;
    const [width, height] = [stage.clientWidth, stage.clientHeight];
    plot.resize(width, height);
    const there = zoomIdentity.translate(width / 2, height / 2).scale(moved.k);
    zooming.transform(select(stage), there.translate(-width / 2 - x * wholeScale(), -height / 2 + y * wholeScale()));
  }

  // ---- which point is near -----------------------------------------------------------------------------------------

  const squared = (point, x, y) => (coordinates[2 * point] - x) ** 2 + (coordinates[2 * point + 1] - y) ** 2;

  /** The points of shown classes within a radius, the nearest first. */
  function within(x, y, radius, test = () => true) {
    const found = tree.within(x, y, radius).filter((point) => shown[labels[point]] && test(point));
    return found.map((point) => [squared(point, x, y), point]).sort((a, b) => a[0] - b[0]).map(([, point]) => point);
  }

  const pointAt = (x, y, pixels) => within(...fromStage(x, y), pixels / scale())[0] ?? null;

  /** At least `most` of the nearest points that pass the test, if there are so many. */
  function nearest(x, y, most, test) {
    for (let radius = 4 / scale(); ; radius *= 2) {
      const found = within(x, y, radius, test);
      if (found.length >= most || radius > 4 * farthest()) return found.slice(0, most);
    }
  }

  // ---- drawing: points by three.js, and on top of them a canvas with images and rings ------------------------------

  const overlay = byId('overlay');
  const ink = overlay.getContext('2d');
  let plot = null;
  let thumbnails = null; // {points, atlas, corners}
  let frame = 0;

  const THUMBNAIL = 36; // pixels, of the longer side
  const pointRadius = () => Math.min(5, 1.1 * moved.k ** 0.42);

  function newPlot() {
    library.ColorManagement.enabled = false; // the colours of the classes are shown as they are
    const renderer = new library.WebGLRenderer({antialias: false, alpha: false, stencil: false, depth: false});
    renderer.outputColorSpace = library.LinearSRGBColorSpace;
    renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    stage.prepend(renderer.domElement);
    const camera = new library.OrthographicCamera();
    camera.position.z = 1;
    const material = new library.PointsMaterial({
      vertexColors: true,
      sizeAttenuation: false,
      transparent: true,
      depthTest: false,
      depthWrite: false
    });
    const disc = discTexture();
    const geometry = new library.BufferGeometry();
    const cloud = new library.Points(geometry, material);
    cloud.frustumCulled = false;
    const scene = new library.Scene();
    scene.add(cloud);
    return {
      setPoints(visible) {
        const position = new Float32Array(3 * visible.length);
        const color = new Uint8Array(3 * visible.length);
        visible.forEach((point, i) => {
          position[3 * i] = coordinates[2 * point];
          position[3 * i + 1] = coordinates[2 * point + 1];
          color.set(rgb[labels[point]], 3 * i);
        });
        geometry.dispose(); // the buffers of another length
        geometry.setAttribute('position', new library.BufferAttribute(position, 3));
        geometry.setAttribute('color', new library.BufferAttribute(color, 3, true));
        cloud.visible = visible.length > 0;
      },
      resize: (width, height) => renderer.setSize(width, height),
      draw(part) {
        geometry.setDrawRange(0, Math.ceil(part * (geometry.attributes.position?.count ?? 0)));
        const [left, top] = fromStage(0, 0);
        const [right, bottom] = fromStage(stage.clientWidth, stage.clientHeight);
        Object.assign(camera, {left, right, top, bottom});
        camera.updateProjectionMatrix();
        material.size = 2 * pointRadius();
        const map = material.size > 3.5 ? disc : null; // a smaller disc is a square of pixels
        if (map !== material.map) Object.assign(material, {map, needsUpdate: true});
        renderer.setClearColor(getComputedStyle(document.body).backgroundColor);
        material.opacity = thumbnails ? 0.3 : 0.8;
        renderer.render(scene, camera);
        stage.dataset.drawn = renderer.info.render.points;
      }
    };
  }

  function discTexture() {
    const canvas = new OffscreenCanvas(32, 32);
    const context = canvas.getContext('2d');
    context.fillStyle = 'white';
    context.arc(16, 16, 15, 0, 2 * Math.PI);
    context.fill();
    return new library.CanvasTexture(canvas);
  }

  function redraw() {
    if (!frame) frame = requestAnimationFrame(drawFrame);
  }

  function drawFrame(now) {
    frame = 0;
    plot.draw(isMoving ? partFor(now) : 1);
    drawOverlay();
  }

  const SLOW = 30; // milliseconds for a frame
  let isMoving = false;
  let part = 1;
  let before = 0;

  /** The part of the points to draw while the view moves: fewer where frames are slow. Any part is a fair sample. */
  function partFor(now) {
    const took = now - before;
    before = now;
    if (took > SLOW && took < 500) part = Math.max(0.1, part * Math.max(0.6, SLOW / took));
    else if (took < 0.7 * SLOW) part = Math.min(1, part * 1.1);
    return part;
  }

  function drawOverlay() {
    overlay.hidden = !thumbnails && hovered === null && chosen === null; // an empty one costs time too
    if (overlay.hidden) return;
    const ratio = Math.min(2, devicePixelRatio);
    const [wide, high] = [Math.round(stage.clientWidth * ratio), Math.round(stage.clientHeight * ratio)];
    if (overlay.width !== wide || overlay.height !== high) Object.assign(overlay, {width: wide, height: high});
    ink.setTransform(ratio, 0, 0, ratio, 0, 0);
    ink.clearRect(0, 0, wide, high);
    const [across, down] = [width, height].map((side) => (THUMBNAIL * side) / Math.max(width, height));
    if (thumbnails) {
      const {atlas, corners} = thumbnails;
      thumbnails.points.forEach((point, i) => {
        const [x, y] = toStage(coordinates[2 * point], coordinates[2 * point + 1]);
        ink.drawImage(atlas, ...corners[i], width, height, x - across / 2, y - down / 2, across, down);
      });
    }
    for (const [point, weight] of [[hovered, 1.5], [chosen, 2.5]]) {
      if (point === null) continue;
      const [x, y] = toStage(coordinates[2 * point], coordinates[2 * point + 1]);
      ink.strokeStyle = isDark() ? 'white' : '#14181c';
      ink.lineWidth = weight;
      ink.beginPath();
      if (thumbnails?.points.includes(point)) ink.roundRect(x - across / 2 - 2, y - down / 2 - 2, across + 4, down + 4, 4);
      else ink.arc(x, y, 4 + pointRadius(), 0, 2 * Math.PI);
      ink.stroke();
    }
  }

  // ---- images in place of points, once few enough are in view ------------------------------------------------------

  const MOST_IN_VIEW = 3000; // points: for more, too many sheets would be decoded
  let waiting = 0;
  let newest = 0; // the number of the newest change of what is to be shown

  function showThumbnailsSoon() {
    newest++;
    clearTimeout(waiting);
    waiting = setTimeout(showThumbnails, 120);
  }

  async function showThumbnails() {
    const mine = ++newest;
    isMoving = false;
    redraw(); // all points again
    const [left, top] = fromStage(0, 0);
    const [right, bottom] = fromStage(stage.clientWidth, stage.clientHeight);
    const inView = tree.range(left, bottom, right, top).filter((point) => shown[labels[point]]);
    const picked = showsImages && inView.length <= MOST_IN_VIEW ? apart(inView, THUMBNAIL / scale()) : [];
    const images = await Promise.all(picked.map(imageOf));
    if (mine !== newest) return; // the view has changed meanwhile, or images are no longer wanted
    thumbnails = picked.length > 0 ? {points: picked, ...atlasOf(picked, images)} : null;
    stage.dataset.images = picked.length;
    redraw();
  }

  /** Points none of which is nearer than `distance` to another one: the chosen one, and the first of the others. */
  function apart(candidates, distance) {
    const taken = new Map();
    const isFree = (x, y, cell) => {
      const other = taken.get(cell);
      return !other || Math.max(Math.abs(other[0] - x), Math.abs(other[1] - y)) >= distance;
    };
    return candidates
      .sort((a, b) => (b === chosen) - (a === chosen) || a - b)
      .filter((point) => {
        const [x, y] = [coordinates[2 * point], coordinates[2 * point + 1]];
        const [column, row] = [Math.floor(x / distance), Math.floor(y / distance)];
        for (const i of [-1, 0, 1]) {
          for (const j of [-1, 0, 1]) if (!isFree(x, y, `${column + i},${row + j}`)) return false;
        }
        taken.set(`${column},${row}`, [x, y]);
        return true;
      });
  }

  /** The images side by side in one picture, in the colours of their classes on the colour of the paper. */
  function atlasOf(picked, images) {
    const columns = Math.ceil(Math.sqrt(picked.length));
    const pixels = new ImageData(columns * width, Math.ceil(picked.length / columns) * height);
    const paper = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
    const corners = picked.map((_, i) => [(i % columns) * width, Math.floor(i / columns) * height]);
    picked.forEach((point, i) => {
      const [left, top] = corners[i];
      const colour = rgb[labels[point]].map((value) => value * (isDark() ? 1 : 0.75)); // pale ink is hard to see on white
      for (let at = 0; at < height * width; at++) {
        const start = 4 * ((top + Math.floor(at / width)) * pixels.width + left + (at % width));
        const part = images[i][at] / 255;
        for (const channel of [0, 1, 2]) {
          pixels.data[start + channel] = paper[channel] + (colour[channel] - paper[channel]) * part;
        }
        pixels.data[start + 3] = 255;
      }
    });
    const atlas = new OffscreenCanvas(pixels.width, pixels.height);
    atlas.getContext('2d').putImageData(pixels, 0, 0);
    return {atlas, corners};
  }

  // ---- hovering and choosing ---------------------------------------------------------------------------------------

  function describe(element, point) {
    element.querySelector('b').textContent = classes[labels[point]];
    element.querySelector('span').textContent = nameOf(point);
    draw(element.querySelector('canvas'), point);
  }

  function hover(point, x = 0, y = 0) {
    const card = byId('hover');
    card.hidden = point === null;
    if (point !== null) {
      if (point !== hovered) describe(card, point);
      const left = x + 18 + card.offsetWidth < innerWidth ? x + 18 : x - 18 - card.offsetWidth;
      const top = Math.min(Math.max(8, y - card.offsetHeight / 2), innerHeight - card.offsetHeight - 8);
      card.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
    }
    if (point === hovered) return;
    hovered = point;
    redraw();
  }

  function choose(point) {
    chosen = point;
    byId('chosen').hidden = point === null;
    if (point !== null) {
      describe(byId('chosen'), point);
      const others = nearest(coordinates[2 * point], coordinates[2 * point + 1], 12, (each) => each !== point);
      byId('nearest').replaceChildren(...others.map(asButton));
    }
    redraw();
  }

  function asButton(point) {
    const button = Object.assign(document.createElement('button'), {type: 'button'});
    const canvas = Object.assign(document.createElement('canvas'), {className: 'picture', width, height});
    button.title = `${classes[labels[point]]}, ${nameOf(point)}`;
    button.setAttribute('aria-label', button.title);
    button.style.setProperty('--colour', colours[labels[point]]);
    button.append(canvas);
    draw(canvas, point);
    button.addEventListener('click', () => chooseAndShow(point));
    return button;
  }

  /** Choose a point, and move the view if the point is not in it, or not near enough. */
  function chooseAndShow(point, leastNear = moved.k) {
    choose(point);
    const [x, y] = [coordinates[2 * point], coordinates[2 * point + 1]];
    const [left, top] = toStage(x, y);
    const isInView = 40 < left && left < stage.clientWidth - 40 && 40 < top && top < stage.clientHeight - 40;
    if (!isInView || moved.k < leastNear) moveTo(x, y, Math.max(moved.k, leastNear));
  }

  /** The next point from the chosen one in a direction: within 45 degrees of it, the nearest. */
  function step(right, up) {
    if (chosen === null) return chooseCentre();
    const [x, y] = [coordinates[2 * chosen], coordinates[2 * chosen + 1]];
    const [next] = nearest(x, y, 1, (point) => {
      const [dx, dy] = [coordinates[2 * point] - x, coordinates[2 * point + 1] - y];
      const along = dx * right + dy * up;
      return point !== chosen && along > 0 && along >= Math.abs(dx * up) + Math.abs(dy * right);
    });
    if (next !== undefined) chooseAndShow(next);
  }

  function chooseCentre() {
    const [point] = nearest(...middle, 1, () => true);
    if (point !== undefined) chooseAndShow(point);
  }

  // ---- search ------------------------------------------------------------------------------------------------------

  /** The position in the split that a text means: "60012", "test 12" or "test[12]"; null if it means none. */
  function positionOf(text) {
    const found = text.trim().match(/^(.*?)\s*\[?\s*(\d[\d,]*)\s*\]?$/);
    if (!found) return null;
    const [name, wanted] = [found[1], Number(found[2].replaceAll(',', ''))];
    if (!name) return wanted < total ? wanted : null;
    let before = 0;
    for (const [each, start, stop] of parts) {
      if (each.toLowerCase() === name.toLowerCase() && start <= wanted && wanted < stop) return before + wanted - start;
      before += stop - start;
    }
    return null;
  }

  function search(event) {
    event.preventDefault();
    const text = byId('find').value;
    const answer = byId('answer');
    const position = positionOf(text);
    if (position === null) {
      const ranges = parts.map(([name, start, stop]) => `${name}[${start}] to ${name}[${stop - 1}]`);
      answer.textContent = `There is no image ${text.trim() || 'without a number'}: there are 0 to ${total - 1}, or ${ranges.join(', ')}.`;
      return;
    }
    const point = pointOf.get(position);
    if (point === undefined) {
      answer.textContent = `Image ${position} is not one of the ${number(count)} in this picture.`;
      return;
    }
    answer.textContent = shown[labels[point]] ? '' : `${classes[labels[point]]} is shown again.`;
    if (!shown[labels[point]]) show((label) => shown[label] || label === labels[point]);
    chooseAndShow(point, 16);
  }

  // ---- light and dark ----------------------------------------------------------------------------------------------

  const prefersDark = matchMedia('(prefers-color-scheme: dark)');
  const isDark = () => document.documentElement.dataset.theme === 'dark';

  function setTheme(dark) {
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';
    thumbnails = null; // they are on the colour of the paper
    redraw();
    showThumbnailsSoon();
  }

  function setImages(on) {
    showsImages = on;
    byId('images').setAttribute('aria-pressed', on);
    showThumbnails();
  }

  // ---- events ------------------------------------------------------------------------------------------------------

  const arrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isField = event.target.matches('input[type="text"]');
    if (event.key === 'Escape') {
      if (isField) stage.focus();
      else choose(null);
      return;
    }
    if (isField) return;
    const onControl = event.target.closest('button, input, summary, #panel') !== null;
    const arrow = arrows[event.key];
    if (arrow && !onControl) {
      if (event.shiftKey) step(arrow[0], -arrow[1]);
      else moveBy(90 * arrow[0], 90 * arrow[1]);
    } else if (event.key === '+' || event.key === '=') zoomBy(1.6);
    else if (event.key === '-' || event.key === '_') zoomBy(1 / 1.6);
    else if (event.key === '0') showWhole();
    else if (event.key === '/') byId('find').focus();
    else if (event.key.toLowerCase() === 'i') setImages(!showsImages);
    else if (event.key === 'Enter' && !onControl) chooseCentre();
    else return;
    event.preventDefault();
  }

  function listen() {
    let moving = 0;
    stage.addEventListener('pointermove', (event) => {
      if (event.pointerType === 'touch' || event.buttons) return hover(null);
      cancelAnimationFrame(moving);
      const {left, top} = stage.getBoundingClientRect();
      const [x, y] = [event.clientX, event.clientY];
      moving = requestAnimationFrame(() => hover(pointAt(x - left, y - top, thumbnails ? 18 : 8), x, y));
    });
    stage.addEventListener('pointerleave', () => {
      cancelAnimationFrame(moving);
      hover(null);
    });
    stage.addEventListener('click', (event) => {
      const {left, top} = stage.getBoundingClientRect();
      choose(pointAt(event.clientX - left, event.clientY - top, thumbnails ? 20 : 12));
    });
    new ResizeObserver(onResize).observe(stage);
    document.addEventListener('keydown', onKey);
    byId('search').addEventListener('submit', search);
    byId('release').addEventListener('click', () => choose(null));
    byId('all').addEventListener('click', () => show(() => true));
    byId('none').addEventListener('click', () => show(() => false));
    byId('in').addEventListener('click', () => zoomBy(2));
    byId('out').addEventListener('click', () => zoomBy(0.5));
    byId('whole').addEventListener('click', () => showWhole());
    byId('images').addEventListener('click', () => setImages(!showsImages));
    byId('theme').addEventListener('click', () => setTheme(!isDark()));
    prefersDark.addEventListener('change', () => setTheme(prefersDark.matches));
  }

  try {
    plot = newPlot();
  } catch (error) {
    byId('failure').textContent = `The points cannot be drawn: ${error.message} This page needs a browser with WebGL 2.`;
    byId('failure').hidden = false;
    return;
  }
  plot.resize(stage.clientWidth, stage.clientHeight);
  select(stage).call(zooming);
  setTheme(prefersDark.matches);
  fillClasses();
  show(() => true);
  listen();
})();
