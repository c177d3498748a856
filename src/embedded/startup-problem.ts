/** The reason why an embedded part does not start, as one sentence that tells a person what to do about it. */
export class StartupProblem extends Error {
  readonly code = 'startup_problem';
  override readonly name = 'StartupProblem';
}
