/** How much longer than on an idle machine every deadline of a test may be; `REDRIVE_TEST_PATIENCE` sets it. */
const PATIENCE = Number(process.env.REDRIVE_TEST_PATIENCE ?? 4);

/** A deadline for something that takes far less on an idle machine. */
export function patient(ms: number): number {
  return ms * PATIENCE;
}

/** A time limit of requests that no receiver which answers exceeds, however busy the machine is. */
export const TIME_TO_ANSWER_MS = patient(5_000);
