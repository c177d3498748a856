/** The algorithms of tokens: a shared secret, or public keys that the issuer publishes. */
export const JWT_ALGORITHMS = ['HS256', 'EdDSA', 'RS256'] as const;

/** One of {@link JWT_ALGORITHMS}. */
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];
