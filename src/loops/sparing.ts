/**
 * Makes a call that does its work at once, and of all calls that follow within `ms` only one more at the end of that
 * time: whoever calls alone waits for nothing.
 */
export function sparing(ms: number, work: () => void): () => void {
  let resting = false;
  let calledMeanwhile = false;
  const call = (): void => {
    if (resting) {
      calledMeanwhile = true;
      return;
    }
    resting = true;
    setTimeout(() => {
      resting = false;
      if (!calledMeanwhile) return;
      calledMeanwhile = false;
      call();
    }, ms);
    work();
  };
  return call;
}
