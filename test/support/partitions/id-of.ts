import { v7 } from 'uuid';
import { anyId } from '../store/any-id.ts';

/**
 * An id that a test makes up for something of a moment, now where absent: rows of partitions by week need one that carries
 * its time.
 */
export function idOf(at: Date | number = Date.now()): ReturnType<typeof anyId> {
  return anyId(v7({ msecs: Number(at) }));
}
