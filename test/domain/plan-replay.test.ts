import { describe, expect, test } from '@jest/globals';
import {
  planReplay,
  type TargetEndpoint,
  type TargetHandoff,
} from '../../src/surfaces/flowrelay/domain/plan-replay.ts';

const endpoint = (endpointId: string, more: Partial<TargetEndpoint> = {}): TargetEndpoint => ({
  endpointId,
  version: 1,
  state: 'enabled',
  ...more,
});
const handoff = (endpointId: string, more: Partial<TargetHandoff> = {}): TargetHandoff => ({
  endpointId,
  state: 'failed',
  attempted: true,
  mayHaveArrived: false,
  ...more,
});
const event = { type: 'order.paid', body: '{"n":1}' };
const ignored = { state: 'ignored', attempted: false, reason: 'endpoint_disabled' } as const;

describe('one handoff', () => {
  test('is sent again to its endpoint as it is now', () => {
    expect(
      planReplay({ event, handoffs: [handoff('a')], endpoints: [endpoint('a'), endpoint('b')] }),
    ).toEqual({
      plan: {
        kind: 'handoff',
        targets: [{ endpoint: endpoint('a'), handoff: handoff('a'), notReady: [] }],
        notReady: [],
        duplicateRisk: false,
      },
    });
  });

  test.each<[Partial<TargetEndpoint>, string[]]>([
    [{ state: 'disabled' }, ['endpoint_disabled']],
    [{ state: 'deleted' }, ['endpoint_deleted']],
    [{ eventTypes: ['refund.*'] }, ['no_longer_wants_event']],
    [{ filter: { n: 2 } }, ['no_longer_wants_event']],
    [{ state: 'disabled', eventTypes: ['x'] }, ['endpoint_disabled', 'no_longer_wants_event']],
  ])('is not ready where the endpoint is %j', (now, reasons) => {
    const planned = planReplay({ event, handoffs: [handoff('a')], endpoints: [endpoint('a', now)] });
    expect(planned).toMatchObject({ plan: { notReady: reasons } });
  });

  test('bears a duplicate risk where it may have arrived', () => {
    for (const more of [
      { mayHaveArrived: true },
      { state: 'delivered' as const },
      { open: 'unknown' as const },
    ])
      expect(planReplay({ event, handoffs: [handoff('a', more)], endpoints: [endpoint('a')] })).toMatchObject(
        {
          plan: { duplicateRisk: true },
        },
      );
  });

  test('is named where there are several, and another endpoint is no target', () => {
    const several = {
      event,
      handoffs: [handoff('a'), handoff('b')],
      endpoints: [endpoint('a'), endpoint('b')],
    };
    expect(planReplay(several)).toEqual({ several: true });
    expect(planReplay({ ...several, askedEndpointId: 'b' })).toMatchObject({
      plan: { targets: [{ endpoint: { endpointId: 'b' } }] },
    });
    expect(planReplay({ ...several, askedEndpointId: 'c' })).toEqual({ refusal: { reason: 'other_target' } });
  });

  test('is left alone while another one owns it', () => {
    for (const open of ['queued', 'sending', 'scheduled'] as const)
      expect(planReplay({ event, handoffs: [handoff('a', { open })], endpoints: [endpoint('a')] })).toEqual({
        refusal: { reason: 'not_terminal' },
      });
  });
});

describe('an event that nothing was ready for', () => {
  test('goes to what wants it now and is enabled', () => {
    const planned = planReplay({
      event,
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
        duplicateRisk: false,
      },
    });
  });

  test.each([
    [[], ['nothing_matches']],
    [[endpoint('a', { eventTypes: ['refund.*'] })], ['nothing_matches']],
    [[endpoint('a', { state: 'deleted' })], ['nothing_matches']],
    [[endpoint('a', { state: 'disabled' })], ['endpoint_disabled']],
  ])('is not ready with %j', (endpoints, reasons) => {
    expect(planReplay({ event, handoffs: [], endpoints })).toMatchObject({
      plan: { kind: 'afresh', targets: [], notReady: reasons },
    });
  });

  test('can be bound to one endpoint of the tenant, and to no other', () => {
    const both = { event, handoffs: [], endpoints: [endpoint('a'), endpoint('b')] };
    expect(planReplay({ ...both, askedEndpointId: 'b' })).toMatchObject({
      plan: { targets: [{ endpoint: { endpointId: 'b' } }] },
    });
    expect(planReplay({ ...both, askedEndpointId: 'x' })).toEqual({ refusal: { reason: 'other_target' } });
  });
});

test('a repeat is not replayed and names the first event; without a payload nothing is', () => {
  const material = { handoffs: [handoff('a')], endpoints: [endpoint('a')] };
  expect(planReplay({ ...material, event: { type: 'a', duplicateOf: 'first' } })).toEqual({
    refusal: { reason: 'suppressed_duplicate', firstEventId: 'first' },
  });
  expect(planReplay({ ...material, event: { type: 'a' } })).toEqual({ refusal: { reason: 'payload_gone' } });
});
