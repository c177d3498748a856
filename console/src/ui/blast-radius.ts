/** How much has to be said before an act: nothing, a sentence, or its number. */
export type Confirmation = 'none' | 'sentence' | 'number';

const FEW = 100;
const MANY = 10_000;

/** Grows with how many deliveries an act is about, and with whether some of them may arrive twice. */
export function confirmationFor(deliveries: number, duplicatesPossible: boolean): Confirmation {
  if (duplicatesPossible && deliveries > 0) return 'number';
  if (deliveries < FEW) return 'none';
  return deliveries <= MANY ? 'sentence' : 'number';
}

/** Whether a person typed this number, however they set its thousands apart. */
export function typedNumber(text: string, number: number): boolean {
  return text.replace(/[\s,.'’_]/g, '') === String(number);
}
