export { answerOf, type ClientOptions, type RedriveClient, redriveClient } from './client.ts';
export type { components, paths } from './native-api.ts';
export { type Page, paginate } from './paginate.ts';
export {
  errorOf,
  hasCode,
  type Problem,
  type ProblemCode,
  ProblemError,
  UnexpectedAnswerError,
} from './problem.ts';
export { type StreamEvent, type WatchOptions, watch } from './watch.ts';
