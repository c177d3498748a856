import Sequencer from '@jest/test-sequencer';

/** A room of one file, of which most is waiting for servers: whatever else is tested runs beside it. */
const LONGEST = '/test/drills/';

/** Begins the file that takes longest first. Jest knows by itself only what it has run before, which a fresh clone has not. */
export default class LongestFirst extends Sequencer {
  sort(tests) {
    const sorted = super.sort(tests);
    const isLongest = ({ path }) => path.includes(LONGEST);
    return [...sorted.filter(isLongest), ...sorted.filter((test) => !isLongest(test))];
  }
}
