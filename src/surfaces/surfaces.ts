import type { Surface } from '../api/surface.ts';
import type { EndpointPresets } from '../domain/endpoints/preset.ts';
import { flowRelaySurface } from './flowrelay/flowrelay-surface.ts';
import { jackHenrySurface } from './jack-henry/jack-henry-surface.ts';
import { minkaSurface } from './minka/minka-surface.ts';
import { nativeSurface } from './native/native-surface.ts';
import { stediSurface } from './stedi/stedi-surface.ts';
import { zenMeshSurface } from './zen-mesh/zen-mesh-surface.ts';

/** Every API that is served: a further one is a folder and a line here. */
export const SURFACES: readonly Surface[] = [
  nativeSurface,
  zenMeshSurface,
  minkaSurface,
  jackHenrySurface,
  stediSurface,
  flowRelaySurface,
];

/** The presets of these surfaces, by the surface's name. */
export function presetsOf(surfaces: readonly Surface[]): EndpointPresets {
  return new Map(surfaces.flatMap(({ name, preset }) => (preset ? [[name, preset]] : [])));
}
