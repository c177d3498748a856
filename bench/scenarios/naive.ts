import type { Bench, Case } from '../scenario.ts';
import { newScene } from '../scene.ts';

/** A workflow and an activity for each delivery: from the first start until the receiver has had all. */
export function naiveCases({ rig, size }: Bench): Case[] {
  const items = size(2_000, { least: 200 });
  return [
    {
      name: 'naive',
      async measure() {
        const scene = await newScene(rig);
        await scene.seed(items);
        await rig.receiver.forget();
        // Thousands of histories would keep the service's own server busy for long, and disturb the next measurement.
        const { startedAtMs, cpuUs } = await rig.withTemporal((address) =>
          rig.script<{ startedAtMs: number; cpuUs: { sender: number } }>('naive/main.ts', [
            scene.tenantId,
            rig.receiver.urlOf(`${scene.path}/0`),
            address,
          ]),
        );
        const { distinct, lastAtMs } = await rig.receiver.ledger();
        if (distinct !== items) throw new Error(`the receiver had ${distinct} of ${items}`);
        return { perSecond: (items / (lastAtMs - startedAtMs)) * 1_000, cpuUs };
      },
    },
  ];
}
