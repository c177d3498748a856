/** The APIs over the one engine: the native one, and the five that are served as their owners document them. */
export const SURFACE_NAMES = ['native', 'zen-mesh', 'minka', 'jack-henry', 'stedi', 'flowrelay'] as const;

/** One of {@link SURFACE_NAMES}. */
export type SurfaceName = (typeof SURFACE_NAMES)[number];
