// How a volume can get better while it loads, as the project itself shows it: slices in turns, neighbours standing in for
// those that are not there yet; of HTJ2K the first bytes of each slice, then the rest. Else each is fetched once, in full.
import { ProgressiveRetrieveImages, utilities } from '@cornerstonejs/core';

const HTJ2K = ['1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203'];

export function loadProgressively() {
  const stages = ProgressiveRetrieveImages.interleavedRetrieveStages;
  const first = { rangeIndex: 0, chunkSize: 32000, decodeLevel: 1 };
  const ranges = { ...stages, retrieveOptions: { multipleFast: first, multipleFinal: { rangeIndex: -1 } } };
  utilities.imageRetrieveMetadataProvider.add('volume', stages);
  for (const syntax of HTJ2K) utilities.imageRetrieveMetadataProvider.add(syntax, ranges);
}
