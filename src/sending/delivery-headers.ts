import { showId } from '../domain/tenancy/typed-id.ts';
import { signatureHeaders } from '../outbound/signature.ts';
import type { ClaimedItem } from '../store/sending/claims.ts';
import type { TraceSpan } from '../telemetry/tracing.ts';
import { withTraceparent } from './attempt-traces.ts';
import type { SendingContext } from './sending-context.ts';
import type { Target } from './target-cache.ts';

/** The headers of a request: its endpoint's, those of its preset, ours, and a signature of this moment. */
export function deliveryHeaders(
  { presets, userAgent }: Pick<SendingContext, 'presets' | 'userAgent'>,
  item: ClaimedItem,
  target: Target,
  span: TraceSpan | undefined,
): Record<string, string> {
  const id = showId('delivery', item.deliveryId);
  return {
    ...(span && target.traceparent ? withTraceparent(target.headers, span) : target.headers),
    ...(target.preset ? presets.get(target.preset)?.headers?.(id) : {}),
    'content-type': 'application/json',
    'user-agent': userAgent,
    'redrive-attempt': String(item.deliveryAttempts + 1),
    'redrive-execution-attempt': String(item.attempts + 1),
    'redrive-endpoint': target.shownId,
    ...signatureHeaders({
      id: item.webhookId ?? id,
      timestampSeconds: Math.floor(Date.now() / 1_000),
      body: item.body,
      secrets: target.secrets,
    }),
  };
}
