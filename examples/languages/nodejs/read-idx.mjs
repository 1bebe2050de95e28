// Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//
//     node read-idx.mjs DIR     # Node.js 18 or later

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** The shape, and the elements as a Buffer, which is a Uint8Array. */
function readIdx(path, magic) {
  try {
    const bytes = gunzipSync(readFileSync(path));
    if (bytes.readUInt32BE(0) !== magic) throw new Error('wrong magic number');
    const shape = Array.from({ length: magic & 0xff }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
    const data = bytes.subarray(4 + 4 * shape.length);
    if (data.length !== shape.reduce((size, n) => size * n)) {
      throw new Error(`${data.length} bytes of data, but the shape is ${shape.join('x')}`);
    }
    return { shape, data };
  } catch (cause) {
    throw new Error(`cannot read ${path}`, { cause });
  }
}

const [dir] = process.argv.slice(2);
const imagesHash = createHash('sha256');
const labelsHash = createHash('sha256');
for (const name of ['train', 't10k']) {
  const images = readIdx(join(dir, `${name}-images-idx3-ubyte.gz`), 0x803);
  const labels = readIdx(join(dir, `${name}-labels-idx1-ubyte.gz`), 0x801);
  if (images.shape[0] !== labels.shape[0]) {
    throw new Error(`${name}: ${images.shape[0]} images, ${labels.shape[0]} labels`);
  }
  imagesHash.update(images.data);
  labelsHash.update(labels.data);
}
console.log(`images ${imagesHash.digest('hex')} labels ${labelsHash.digest('hex')}`);
