import { PREPARATION_FAULTS, type PreparationFault } from '../../domain/endpoints/preparation.ts';

/** Why a file was not processed, as trading partners' software names it. */
export const FILE_FAULT_CODES = [
  'DELIVERY_FAILURE',
  'FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS',
  'FAILED_TO_FIND_GUIDE',
  'FAILED_TO_FIND_LOCAL_PROFILE',
  'FAILED_TO_FIND_PARTNER_PROFILE',
] as const;

/** One of {@link FILE_FAULT_CODES}. */
export type FileFaultCode = (typeof FILE_FAULT_CODES)[number];

/** A fault of a file, with a sentence that names nothing of its content. */
export interface FileFault {
  code: FileFaultCode;
  message: string;
}

const OF_PREPARATION: Record<PreparationFault, FileFault> = {
  sender_profile_missing: {
    code: 'FAILED_TO_FIND_LOCAL_PROFILE',
    message: 'The partnership has no profile of the sender.',
  },
  partner_profile_missing: {
    code: 'FAILED_TO_FIND_PARTNER_PROFILE',
    message: 'The partnership has no profile of the partner.',
  },
  guide_missing: {
    code: 'FAILED_TO_FIND_GUIDE',
    message: 'The partnership has no guide for files of this type.',
  },
  business_identifier_missing: {
    code: 'FAILED_TO_EXTRACT_BUSINESS_IDENTIFIERS',
    message: 'The file has no business identifier at the key path of the partnership.',
  },
};

const OF_DELIVERY: Record<string, string> = {
  exhausted: 'The file was not delivered: every attempt failed.',
  permanent: 'The file was not delivered: the endpoint refused it for good.',
  gone: 'The file was not delivered: the endpoint is gone.',
  gave_up: 'The file was not delivered: the time to deliver it had passed.',
  resolved: 'The file was not delivered, as an operator confirmed.',
  imported: 'The file was not delivered by the system that it was imported from.',
};

/** The fault of an execution that failed for this reason. */
export function fileFault(reason: string | undefined): FileFault {
  if (isPreparationFault(reason)) return OF_PREPARATION[reason];
  return {
    code: 'DELIVERY_FAILURE',
    message: OF_DELIVERY[reason ?? ''] ?? 'The file was not delivered.',
  };
}

/** The reasons of failed executions that a fault code stands for. */
export function reasonsOf(code: FileFaultCode): { in: string[] } | { notIn: string[] } {
  if (code === 'DELIVERY_FAILURE') return { notIn: [...PREPARATION_FAULTS] };
  return { in: PREPARATION_FAULTS.filter((fault) => OF_PREPARATION[fault].code === code) };
}

function isPreparationFault(reason: string | undefined): reason is PreparationFault {
  return (PREPARATION_FAULTS as readonly (string | undefined)[]).includes(reason);
}
