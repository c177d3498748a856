/**
 * Names of members that a body might have and a replay does not offer: no schedule and no policy of retries, no other
 * target, no changed payload, no new identity. Compared without case, dashes and underscores.
 */
const NOT_OFFERED =
  /(retr(y|ies)|schedul|policy|policies|backoff|attempts|interval|delay|notbefore|cron|ratepersecond|concurrency|destination|target|url|uri|payload|body|headers?|secret|transform|newidentity|takeover)/;

/** Whether an unknown member asks for something that the product leaves to the sender, or to nobody. */
export function isBeyondProduct(member: string): boolean {
  return NOT_OFFERED.test(member.toLowerCase().replace(/[^a-z]/g, ''));
}
