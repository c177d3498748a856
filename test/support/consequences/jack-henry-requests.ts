import fc from 'fast-check';
import { uuidIn } from '../api/retries.ts';
import { type Entry, entry, filled, idempotencyKey, NO_UUID, NOBODYS, present, withKey } from './asked.ts';
import { listOf, optional, range, textAmong } from './awkward.ts';
import { type InWorld, nth, place } from './retry-bodies.ts';
import type { World } from './world.ts';
import { BATCHES, SOURCES } from './world.ts';

/** Where everything of Jack Henry is. */
export const JACK_HENRY = '/a/api/enterprise-event/v1';
const SUBSCRIPTION = `${JACK_HENRY}/{institutionId}/retries/subscriptions/{subscriptionId}`;
const RAW = `${JACK_HENRY}/{institutionId}/retries/events`;
const ADMIN = `${JACK_HENRY}/retries/events`;

const eventIds = listOf(fc.oneof(place, fc.constantFrom(NO_UUID, NOBODYS)), 6).map(
  (picked): InWorld<string[]> =>
    ({ events }) =>
      picked.map((each) => (typeof each === 'string' ? each : uuidIn('event', nth(events, each)))),
);
const eventNumbers = listOf(fc.oneof(place, fc.constantFrom('01', '-1', '999999999999999999', '')), 6).map(
  (picked): InWorld<string[]> =>
    (world) =>
      picked.map((each) => (typeof each === 'string' ? each : nth(world.eventNumbers, each))),
);

/** The members by which Jack Henry's clients name events. */
const jackHenryEvents = fc
  .record({
    eventId: optional(eventIds),
    eventNum: fc.option(eventNumbers, { nil: undefined, freq: 1 }),
    times: fc.oneof(fc.constant({}), range('fromTime', 'toTime')),
  })
  .map(
    ({ eventId, eventNum, times }): InWorld<Record<string, unknown>> =>
      (world) => ({
        ...present({ eventId: eventId?.(world), eventNum: eventNum?.(world) }),
        ...times,
      }),
  );

const rawMembers = fc.record({
  events: jackHenryEvents,
  ingestionBatchId: fc.option(listOf(textAmong(...BATCHES, '\0')), { nil: undefined, freq: 1 }),
  eventSource: fc.option(textAmong(...SOURCES, ''), { nil: undefined, freq: 1 }),
  replayMatchedSubscriptions: optional(fc.boolean()),
});

function rawBody(
  { events, ...members }: typeof rawMembers extends fc.Arbitrary<infer T> ? T : never,
  world: World,
) {
  return { ...events(world), ...present(members) };
}

const institution = ({ tenant }: World) => uuidIn('tenant', tenant.id);

/** Requests of Jack Henry. */
export const JACK_HENRY_ENTRIES: Record<string, Entry> = {
  [`${SUBSCRIPTION}/events/{eventId}`]: entry(
    8,
    fc.tuple(place, place, optional(fc.boolean()), idempotencyKey),
    ([endpoint, event, bypass, key], world) => ({
      path: filled(`${SUBSCRIPTION}/events/{eventId}`, {
        institutionId: institution(world),
        subscriptionId: uuidIn('endpoint', nth(world.endpoints, endpoint).id),
        eventId: uuidIn('event', nth(world.events, event)).toUpperCase(),
      }),
      body: present({ bypassSubscriptionFilter: bypass }),
      ...withKey(key),
    }),
  ),
  [SUBSCRIPTION]: entry(
    10,
    fc.record({
      endpoint: place,
      events: jackHenryEvents,
      dispatchStatus: optional(listOf(fc.constantFrom('succeeded', 'failed', 'pending'))),
      pendingLongerThan: optional(fc.constantFrom('1s', '30m', '36500d', '99999999999999999999d')),
      dispatchBatchId: fc.option(listOf(fc.constantFrom(NO_UUID, NOBODYS)), { nil: undefined, freq: 1 }),
      bypassSubscriptionFilter: optional(fc.boolean()),
      key: idempotencyKey,
    }),
    ({ endpoint, events, key, pendingLongerThan, ...members }, world) => ({
      path: filled(SUBSCRIPTION, {
        institutionId: institution(world),
        subscriptionId: uuidIn('endpoint', nth(world.endpoints, endpoint).id),
      }),
      body: {
        ...events(world),
        ...present(members),
        ...(members.dispatchStatus?.includes('pending') ? present({ pendingLongerThan }) : {}),
      },
      ...withKey(key),
    }),
  ),
  [`${RAW}/{eventId}`]: entry(
    8,
    fc.tuple(place, optional(fc.boolean()), idempotencyKey),
    ([event, replayMatchedSubscriptions, key], world) => ({
      path: filled(`${RAW}/{eventId}`, {
        institutionId: institution(world),
        eventId: uuidIn('event', nth(world.events, event)),
      }),
      body: present({ replayMatchedSubscriptions }),
      ...withKey(key),
    }),
  ),
  [RAW]: entry(8, fc.tuple(rawMembers, idempotencyKey), ([members, key], world) => ({
    path: filled(RAW, { institutionId: institution(world) }),
    body: rawBody(members, world),
    ...withKey(key),
  })),
  [ADMIN]: entry(
    8,
    fc.tuple(rawMembers, optional(listOf(fc.constantFrom('own', NO_UUID, NOBODYS))), idempotencyKey),
    ([members, named, key], world) => ({
      path: ADMIN,
      body: {
        ...rawBody(members, world),
        ...present({ institutionIds: named?.map((each) => (each === 'own' ? institution(world) : each)) }),
      },
      credential: 'installation',
      ...withKey(key),
    }),
  ),
};
