import { describe, expect, test } from '@jest/globals';
import {
  type Material,
  matcherOf,
  planReplay,
  readinessOf,
  type TargetEndpoint,
  type TargetHandoff,
} from '../../../src/surfaces/flowrelay/domain/plan-replay.ts';
import { anyId } from '../../support/store/any-id.ts';

const endpoint = (endpointId: string, more: Partial<TargetEndpoint> = {}): TargetEndpoint => ({
  endpointId: anyId(endpointId),
  version: 1,
  state: 'enabled',
  ...more,
});
const handoff = (endpointId: string, more: Partial<TargetHandoff> = {}): TargetHandoff => ({
  endpointId: anyId(endpointId),
  state: 'failed',
  attempted: true,
  mayHaveArrived: false,
  endpointState: 'enabled',
  ...more,
});
const receipt = { request: 'accepted', suppressed: false, retention: 'retained' } as const;
type TestMaterial = Material<TargetEndpoint, TargetHandoff>;
/** Each handoff knows the state of its endpoint, as where it is read. */
const material = (
  given: Pick<TestMaterial, 'handoffs' | 'endpoints'> & Partial<TestMaterial>,
): TestMaterial => ({
  wants: matcherOf({ type: 'order.paid', body: '{"n":1}' }),
  receipt,
  usage: { executed: 0 },
  ...given,
  handoffs: given.handoffs.map((each) => ({
    ...each,
    endpointState:
      given.endpoints.find(({ endpointId }) => endpointId === each.endpointId)?.state ?? 'enabled',
  })),
});
const plan = (given: Parameters<typeof material>[0]) => planReplay(material(given));
const ignored = { state: 'ignored', attempted: false, reason: 'endpoint_disabled' } as const;

describe('one handoff', () => {
  test('is sent again to its endpoint as it is now', () => {
    expect(plan({ handoffs: [handoff('a')], endpoints: [endpoint('a'), endpoint('b')] })).toEqual({
      plan: {
        kind: 'handoff',
        targets: [{ endpoint: endpoint('a'), handoff: handoff('a'), notReady: [] }],
        notReady: [],
      },
    });
  });

  test.each<[Partial<TargetEndpoint>, string[]]>([
    [{ state: 'disabled' }, ['endpoint_disabled']],
    [{ eventTypes: ['refund.*'] }, ['no_longer_wants_event']],
    [{ filter: { n: 2 } }, ['no_longer_wants_event']],
    [{ state: 'disabled', eventTypes: ['x'] }, ['endpoint_disabled', 'no_longer_wants_event']],
  ])('is not ready where the endpoint is %j', (now, reasons) => {
    const planned = plan({ handoffs: [handoff('a')], endpoints: [endpoint('a', now)] });
    expect(planned).toMatchObject({ plan: { notReady: reasons } });
  });

  test('at a deleted endpoint is refused: nothing that somebody corrects brings it back', () => {
    expect(
      plan({ handoffs: [handoff('a')], endpoints: [endpoint('a', { state: 'deleted' }), endpoint('b')] }),
    ).toEqual({ refusal: { reason: 'endpoint_deleted' } });
  });

  test.each<[Partial<TargetHandoff>, string]>([
    [{ mayHaveArrived: true }, 'uncertain'],
    [{ open: 'unknown' }, 'uncertain'],
    [{ state: 'delivered' }, 'delivered'],
    [{ failedThere: true }, 'failed_there'],
    [{ resentAs: anyId('later') }, 'resent'],
  ])('of %j bears a duplicate risk: %s', (more, risk) => {
    expect(plan({ handoffs: [handoff('a', more)], endpoints: [endpoint('a')] })).toMatchObject({
      plan: { duplicateRisk: risk },
    });
  });

  test('is named where there are several, and another endpoint is no target', () => {
    const several = {
      handoffs: [handoff('a'), handoff('b')],
      endpoints: [endpoint('a'), endpoint('b')],
    };
    expect(plan(several)).toEqual({ several: true });
    expect(plan({ ...several, askedEndpointId: anyId('b') })).toMatchObject({
      plan: { targets: [{ endpoint: { endpointId: 'b' } }] },
    });
    expect(plan({ ...several, askedEndpointId: anyId('c') })).toEqual({
      refusal: { reason: 'other_target' },
    });
  });

  test('is left alone while another one owns it', () => {
    for (const open of ['queued', 'sending', 'scheduled'] as const)
      expect(plan({ handoffs: [handoff('a', { open })], endpoints: [endpoint('a')] })).toEqual({
        refusal: { reason: 'not_terminal' },
      });
  });
});

describe('an event that nothing was ready for', () => {
  test('goes to the endpoints that want it now and are enabled', () => {
    const planned = plan({
      handoffs: [handoff('a', ignored)],
      endpoints: [
        endpoint('a'),
        endpoint('b'),
        endpoint('c', { state: 'disabled' }),
        endpoint('d', { eventTypes: ['refund.*'] }),
      ],
    });
    expect(planned).toMatchObject({
      plan: {
        kind: 'afresh',
        targets: [
          { endpoint: { endpointId: 'a' }, handoff: { endpointId: 'a' } },
          { endpoint: { endpointId: 'b' } },
        ],
        notReady: [],
      },
    });
  });

  test('does not go to an endpoint that has an event of the same id already', () => {
    expect(
      plan({ handoffs: [], endpoints: [endpoint('a'), endpoint('b')], heldElsewhere: ['a'] }),
    ).toMatchObject({ plan: { targets: [{ endpoint: { endpointId: 'b' } }] } });
  });

  test.each([
    [[], ['nothing_matches']],
    [[endpoint('a', { eventTypes: ['refund.*'] })], ['nothing_matches']],
    [[endpoint('a', { state: 'deleted' })], ['nothing_matches']],
    [[endpoint('a', { state: 'disabled' })], ['endpoint_disabled']],
  ])('is not ready with %j', (endpoints, reasons) => {
    expect(plan({ handoffs: [], endpoints })).toMatchObject({
      plan: { kind: 'afresh', targets: [], notReady: reasons },
    });
  });

  test('can be bound to one endpoint of the tenant, and to no other', () => {
    const both = { handoffs: [], endpoints: [endpoint('a'), endpoint('b')] };
    expect(plan({ ...both, askedEndpointId: anyId('b') })).toMatchObject({
      plan: { targets: [{ endpoint: { endpointId: 'b' } }] },
    });
    expect(plan({ ...both, askedEndpointId: anyId('x') })).toEqual({ refusal: { reason: 'other_target' } });
  });
});

test('a suppressed duplicate is not replayed and names the first event; nothing is without a payload, nor beyond the limit', () => {
  const one = { handoffs: [handoff('a')], endpoints: [endpoint('a')] };
  expect(plan({ ...one, receipt: { ...receipt, suppressed: true, duplicateOf: anyId('first') } })).toEqual({
    refusal: { reason: 'suppressed_duplicate', firstEventId: 'first' },
  });
  expect(plan({ ...one, receipt: { ...receipt, retention: 'expired' } })).toEqual({
    refusal: { reason: 'payload_gone' },
  });
  expect(plan({ ...one, usage: { executed: 2, limit: 2, freeInMs: 1_500 } })).toEqual({
    refusal: { reason: 'replays_per_day', retryAfterSeconds: 2 },
  });
});

test('a receipt is ready where one of the handoffs that it is about is', () => {
  const two = {
    handoffs: [handoff('a'), handoff('b', { state: 'delivered' }), handoff('c')],
    endpoints: [endpoint('a', { state: 'disabled' }), endpoint('b'), endpoint('c')],
  };
  expect(readinessOf(material(two)).whole).toEqual([]);
  expect(
    readinessOf(
      material({ ...two, endpoints: two.endpoints.map((each) => ({ ...each, state: 'disabled' })) }),
    ).whole,
  ).toEqual(['endpoint_disabled']);
});
