/**
 * Files with holes, as GNU's sparse format 1.0 of pax archives has them: a map (decimal numbers, one a line: how many,
 * then offset and length of each piece of data, padded to whole blocks) and the data alone. Only read here: no page
 * learns where a file has holes. Source: GNU tar manual, appendix "Storing Sparse Files".
 */

export const MAX_EXTENTS = 2 ** 16;
export const PREFIX = "GNU.sparse.";
const LONGEST_LINE = 512;
const HOLE_BYTES = 2 ** 16;

/** One piece of data in a file. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
}

/** A map that no honest writer makes. */
export class BadSparseMap extends RangeError {
  override name = "BadSparseMap";
}

/** How much data there is. */
export function storedBytes(extents: readonly Extent[]): number {
  return extents.reduce((total, { length }) => total + length, 0);
}

/** Read a map, block by block. Throws BadSparseMap: it is none, or of more pieces than any writer makes. */
export async function readMap(readBlock: () => Promise<Uint8Array>): Promise<Extent[]> {
  let rest = "";
  const number = async (): Promise<number> => {
    let end = rest.indexOf("\n");
    while (end < 0) {
      if (rest.length > LONGEST_LINE) {
        throw new BadSparseMap("not a map");
      }
      rest += String.fromCharCode(...(await readBlock()));
      end = rest.indexOf("\n");
    }
    const line = rest.slice(0, end);
    rest = rest.slice(end + 1);
    const read = Number(line);
    if (!/^\d{1,16}$/.test(line) || !Number.isSafeInteger(read)) {
      throw new BadSparseMap("not a map");
    }
    return read;
  };
  const count = await number();
  if (count > MAX_EXTENTS) {
    throw new BadSparseMap("too many pieces");
  }
  const extents: Extent[] = [];
  while (extents.length < count) {
    extents.push({ offset: await number(), length: await number() });
  }
  return extents;
}

/** Check that pieces stand in order, inside the file, and are all that is stored. Throws BadSparseMap. */
export function checkMap(extents: readonly Extent[], { size, stored }: { size: number; stored: number }): void {
  let place = 0;
  for (const { offset, length } of extents) {
    if (offset < place || length > size - offset) {
      throw new BadSparseMap("pieces out of order or outside of the file");
    }
    place = offset + length;
  }
  if (storedBytes(extents) !== stored) {
    throw new BadSparseMap("not all of the data is placed");
  }
}

/** The whole content of a file of `size` bytes: its stored data, and zeros where it has holes. */
export async function* filled(
  data: AsyncIterable<Uint8Array>,
  extents: readonly Extent[],
  size: number,
): AsyncGenerator<Uint8Array> {
  const left = extents.filter(({ length }) => length > 0).map(({ offset, length }) => ({ offset, length }));
  let place = 0;
  for await (const chunk of data) {
    for (let start = 0; start < chunk.length;) {
      const extent = left[0] as { offset: number; length: number };
      yield* zeros(extent.offset - place);
      const piece = chunk.subarray(start, start + extent.length);
      yield piece;
      start += piece.length;
      place = extent.offset + piece.length;
      extent.offset = place;
      extent.length -= piece.length;
      if (extent.length === 0) {
        left.shift();
      }
    }
  }
  yield* zeros(size - place);
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= HOLE_BYTES) {
    yield new Uint8Array(Math.min(left, HOLE_BYTES));
  }
}
