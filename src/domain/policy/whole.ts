/** The digests of something that is set as a whole: of what its setter has read, of what is there, and of what is to be. */
export interface WholeDigests {
  /** Absent where whatever is there is to be replaced. */
  read: string | undefined;
  now: string;
  next: string;
}

/** Whether it may be set; what is there already may, for the answer to an earlier request may have been lost. */
export function mayTakeItsPlace({ read, now, next }: WholeDigests): boolean {
  return read === undefined || read === now || next === now;
}
