/** The states of an endpoint; a deleted one is kept for the history that names it. */
export const ENDPOINT_STATES = ['enabled', 'disabled', 'deleted'] as const;

/** State of an endpoint. */
export type EndpointState = (typeof ENDPOINT_STATES)[number];
