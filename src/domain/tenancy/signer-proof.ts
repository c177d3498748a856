/** Who says that a public key is the tenant's: the key itself, by its signature, or the installation. */
export const SIGNER_PROOFS = ['key', 'installation'] as const;

/** One of {@link SIGNER_PROOFS}. */
export type SignerProof = (typeof SIGNER_PROOFS)[number];
