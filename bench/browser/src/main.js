// Loads DICOMweb series with Cornerstone3D's streaming volume loader and times it. No viewport: loading only.
import * as core from '@cornerstonejs/core';
import * as dicomImageLoader from '@cornerstonejs/dicom-image-loader';
import { utilities as metadata } from '@cornerstonejs/metadata';
import { loadProgressively } from './progressive.js';

const { cache, eventTarget, metaData, utilities, volumeLoader } = core;
const { Events } = core.Enums;

function init(workers) {
  core.init();
  dicomImageLoader.init({ maxWebWorkers: workers });
  cache.setMaxCacheSize(8 * 1024 ** 3);
  // PET in the series' own units: without SUV factors it is rescaled and no more, like every other modality.
  metaData.addProvider((type) => (type === 'scalingModule' ? {} : undefined), 10000);
  // What splits a series into time points is asked for by name; that these are attributes is left to the application.
  metaData.addProvider((type, imageId) => (type === 'TemporalPositionIdentifier' ? metaData.get('instance', imageId)?.[type] : undefined));
}

// All at once; each mark is the last series'.
async function load({ urls, progressive = false }) {
  if (progressive) loadProgressively();
  const begin = performance.now();
  const since = () => (performance.now() - begin) / 1000;
  const loaded = await Promise.all(urls.map((url) => loadSeries(url, progressive, since)));
  const last = (name) => Math.max(...loaded.map(({ marks }) => marks[name]));
  const marks = Object.fromEntries(['headers', 'first', 'coverage', 'half', 'complete'].map((name) => [name, last(name)]));
  const volumes = loaded.map(({ array, shape }) => ({ dtype: dtypeOf(array), shape }));
  return { marks, volumes, arrays: loaded.map(({ array }) => array) };
}

async function loadSeries(url, progressive, since) {
  const marks = {};
  const mark = (name) => (marks[name] ??= since());
  const groups = await register(url);
  mark('headers');
  const volumes = await Promise.all(groups.map((imageIds, index) =>
    volumeLoader.createAndCacheVolume(`cornerstoneStreamingImageVolume:${url}#${index}`, { imageIds })));
  const loaded = watch(volumes, groups.flat().length, mark, progressive);
  volumes.forEach((volume) => volume.load());
  await loaded;
  // The last event comes shortly before the last image is in the cache, and only then are its voxels there.
  while (volumes.some(({ imageIds }) => imageIds.some((id) => !cache.isLoaded(id)))) {
    await new Promise((resolve) => setTimeout(resolve));
  }
  const array = contiguous(volumes);
  mark('complete');
  return { marks, array, shape: shapeOf(volumes, array) };
}

// Fetches and registers the metadata; returns imageIds of all frames, in one group a time point.
async function register(url) {
  const response = await fetch(`${url}/metadata`, { headers: { Accept: 'application/dicom+json' } });
  if (!response.ok) throw new Error(`${url}/metadata answers ${response.status}`);
  const imageIds = [];
  for (const instance of await response.json()) {
    const base = `wadors:${url}/instances/${instance['00080018'].Value[0]}/frames`;
    metadata.addDicomWebInstance(`${base}/1`, instance);
    const frames = Number(instance['00280008']?.Value?.[0] ?? 1);
    for (let frame = 1; frame <= frames; frame++) imageIds.push(`${base}/${frame}`);
  }
  return utilities.splitImageIdsBy4DTags(imageIds).imageIdGroups;
}

// Marks first, half and coverage; resolves when all slices are there at full quality, rejects when one failed.
function watch(volumes, total, mark, progressive) {
  const done = new Map(volumes.map(({ volumeId }) => [volumeId, 0]));
  const full = () => [...done.values()].reduce((a, b) => a + b);
  const covered = () => volumes.every(({ cachedFrames, imageIds }) => imageIds.every((_, index) => cachedFrames[index]));
  return new Promise((resolve, reject) => {
    eventTarget.addEventListener(Events.IMAGE_VOLUME_MODIFIED, ({ detail }) => {
      if (!done.has(detail.volumeId)) return;
      done.set(detail.volumeId, detail.framesProcessed);
      mark('first');
      const slices = full();
      if (slices >= total / 2) mark('half');
      if (slices >= total || (progressive && covered())) mark('coverage');
      if (slices >= total) resolve();
    });
    const failed = ({ detail: { error } }) => reject(new Error(`a slice failed: ${reasonOf(error)}`));
    eventTarget.addEventListener(Events.IMAGE_LOAD_ERROR, failed);
    eventTarget.addEventListener(Events.IMAGE_LOAD_FAILED, failed);
  });
}

function reasonOf(error) {
  return error?.status ? `the server answers ${error.status}` : String(error?.message ?? error?.error?.message ?? error);
}

function contiguous(volumes) {
  const parts = volumes.map(({ voxelManager }) => voxelManager.getCompleteScalarDataArray());
  if (parts.length === 1) return parts[0];
  const array = new parts[0].constructor(parts.length * parts[0].length);
  parts.forEach((part, index) => array.set(part, index * part.length));
  return array;
}

// As numpy has it: (t,) k, j, i (, colour).
function shapeOf(volumes, array) {
  const [columns, rows, slices] = volumes[0].dimensions;
  const components = array.length / (columns * rows * slices * volumes.length);
  return [...(volumes.length > 1 ? [volumes.length] : []), slices, rows, columns, ...(components > 1 ? [components] : [])];
}

const dtypeOf = (array) => array.constructor.name.replace('Clamped', '').replace('Array', '').toLowerCase();

// One exchange with the program that wants the load (run.mjs).
const turn = async (message) => (await fetch('/turn', { method: 'POST', body: JSON.stringify(message) })).json();

try {
  init(Number(new URLSearchParams(location.search).get('workers')));
  await new Promise((resolve) => setTimeout(resolve, 1000)); // what a browser does after its start is not measured
  const { arrays, ...result } = await load(await turn({ ready: true }));
  await turn(result);
  for (const [index, array] of arrays.entries()) await fetch(`/voxels/${index}`, { method: 'POST', body: array });
  await turn({ saved: true });
} catch (error) {
  await turn({ error: reasonOf(error) });
}
