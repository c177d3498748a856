export { answerOf, type ClientOptions, type RedriveClient, redriveClient } from './calls/client.ts';
export type { StreamEvent } from './calls/events-of.ts';
export { newIdempotencyKey } from './calls/idempotency-keys.ts';
export { type Page, paginate } from './calls/paginate.ts';
export {
  errorOf,
  hasCode,
  type Problem,
  type ProblemCode,
  ProblemError,
  UnexpectedAnswerError,
} from './calls/problem.ts';
export type { RetryOptions } from './calls/retrying-fetch.ts';
export { type WatchOptions, watch } from './calls/watch.ts';
export { forward } from './listening/forward.ts';
export { type ListenOptions, listen } from './listening/listen.ts';
export type { ListenedRequest, ReceiverAnswer } from './listening/listened-request.ts';
export type { components, paths } from './native-api.ts';
export { type AddendaVerdict, type AmendedReport, checkAddenda } from './proof/check-addenda.ts';
export { checkLedger, type LedgerVerdict } from './proof/check-ledger.ts';
export type { CheckpointFault, KeptFile } from './proof/checkpoints.ts';
export { CLOSURE_TYPE, type Closure, closureFault, isClosureOf } from './proof/closure.ts';
export {
  type Jwk,
  type Jws,
  type KeySet,
  keysIn,
  type SignatureFault,
  type Verdict,
  verifyJws,
} from './proof/jws.ts';
export { isInLedger, type LedgerSeal, type LineProof, sealOfStream } from './proof/ledger.ts';
export type { Lines } from './proof/lines.ts';
export {
  type AuditEvidence,
  type AuditStreamEvidence,
  type AuditVerdict,
  verifyAudit,
  verifyAuditStream,
} from './proof/verify-audit.ts';
export type { ChainFault } from './proof/verify-chain.ts';
export { type ReportEvidence, type ReportVerdict, verifyReport } from './proof/verify-report.ts';
export {
  type Acknowledgement,
  type AcknowledgementOutcome,
  acknowledge,
  type ReceivedDelivery,
  signAcknowledgement,
} from './webhooks/acknowledge.ts';
export {
  type ReceivedHeaders,
  type ReceivedWebhook,
  verifyWebhook,
  type Webhook,
  type WebhookFault,
  WebhookVerificationError,
} from './webhooks/verify-webhook.ts';
