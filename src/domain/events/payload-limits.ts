/** The most bytes of the payload of one event, in whatever way it comes. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
