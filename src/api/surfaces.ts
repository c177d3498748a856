import { nativeSurface } from './native/native-surface.ts';
import type { Surface } from './surface.ts';
import { stediSurface } from './surfaces/stedi/stedi-surface.ts';

/** Every API that is served: a further one is a folder and a line here. */
export const SURFACES: readonly Surface[] = [nativeSurface, stediSurface];
