/** Why the demo cannot go on; the service can. The message ends a sentence that begins with "The demo stopped: ". */
export class DemoProblem extends Error {
  readonly code = 'demo_problem';
  override readonly name = 'DemoProblem';
}
