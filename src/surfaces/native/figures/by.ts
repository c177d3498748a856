import { z } from 'zod';

/** A parameter that names what counts are told apart by, joined by commas; comes out as their list, each once. */
export function byParameter<Dimension extends string>(
  dimensions: readonly Dimension[],
  description: string,
  example: string,
) {
  return z
    .string()
    .max(100)
    .transform((text, context): Dimension[] => {
      const named = [...new Set(text.split(','))];
      const known = dimensions.filter((dimension) => named.includes(dimension));
      if (known.length === named.length) return named as Dimension[];
      context.addIssue({
        code: 'custom',
        message: `Expected one or more of ${dimensions.join(', ')}, joined by commas.`,
        params: { code: 'not_allowed' },
      });
      return z.NEVER;
    })
    .meta({
      description: `${description} One or more of ${dimensions.map((each) => `\`${each}\``).join(', ')}, joined by commas.`,
      example,
    });
}
