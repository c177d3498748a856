/** Name of one of the APIs over the one engine; which there are is said by the list of surfaces alone. */
export type SurfaceName = string;
