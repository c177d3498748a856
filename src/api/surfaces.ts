import { nativeSurface } from './native/native-surface.ts';
import type { Surface } from './surface.ts';
import { flowRelaySurface } from './surfaces/flowrelay/flowrelay-surface.ts';
import { jackHenrySurface } from './surfaces/jack-henry/jack-henry-surface.ts';
import { minkaSurface } from './surfaces/minka/minka-surface.ts';
import { stediSurface } from './surfaces/stedi/stedi-surface.ts';
import { zenMeshSurface } from './surfaces/zen-mesh/zen-mesh-surface.ts';

/** Every API that is served: a further one is a folder and a line here. */
export const SURFACES: readonly Surface[] = [
  nativeSurface,
  zenMeshSurface,
  minkaSurface,
  jackHenrySurface,
  stediSurface,
  flowRelaySurface,
];
