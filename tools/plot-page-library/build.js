// Bundles the libraries of the page into one file, and puts the licences of everything in it beside it.
import {createHash} from 'node:crypto';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {build} from 'esbuild';

const target = new URL('../../adapters/idxhub_plot/embeddings/vendor/', import.meta.url);
const {outputFiles, metafile} = await build({
  entryPoints: ['entry.js'],
  bundle: true,
  minify: true,
  format: 'iife',
  globalName: 'library',
  target: 'es2022',
  charset: 'ascii',
  legalComments: 'none',
  write: false,
  metafile: true
});
const code = outputFiles[0].contents;
writeFileSync(new URL('library.js', target), code);

const files = Object.values(metafile.outputs)[0].inputs;
const packages = Object.entries(files)
  .filter(([, {bytesInOutput}]) => bytesInOutput > 0)
  .map(([path]) => path.match(/.*node_modules\/((@[^/]+\/)?[^/]+)/)?.[0])
  .filter(Boolean);
const texts = [...new Set(packages)].sort().map((folder) => {
  const {name, version, license} = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  const file = ['LICENSE', 'LICENSE.md', 'LICENSE.txt'].map((each) => `${folder}/${each}`).find(existsSync);
  if (!file) console.warn(`${name} has no licence file`);
  return {title: `${name} ${version} (${license})`, text: file ? readFileSync(file, 'utf8').trim() : ''};
});
const same = new Map();
for (const {title, text} of texts) same.set(text, [...(same.get(text) ?? []), title]);
const licences = [...same].map(([text, titles]) => `${titles.join('\n')}\n\n${text}\n`).join(`\n${'-'.repeat(72)}\n\n`);
writeFileSync(new URL('LICENSES.txt', target), licences);
console.log(`library.js: ${code.length} bytes, SHA-256 ${createHash('sha256').update(code).digest('hex')}`);
