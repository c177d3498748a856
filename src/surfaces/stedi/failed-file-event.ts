import { FAILED_FILE_TYPE } from '../../domain/endpoints/event-type.ts';
import type { FileArtifact } from './file-artifact.ts';
import type { FileFault } from './file-fault.ts';

/** The facts that are told of a failed file. */
export interface FailedFile {
  executionId: string;
  /** ISO 8601. */
  processedAt: string;
  direction: 'INBOUND' | 'OUTBOUND' | 'UNKNOWN';
  partnershipId: string;
  name: string;
  artifacts: FileArtifact[];
  fault: FileFault;
}

/** The event that tells of a failed file; as documented, but for `region`, which is empty: there is none here. */
export function failedFileEvent(id: string, account: string, file: FailedFile): Record<string, unknown> {
  return {
    version: '0',
    id,
    time: file.processedAt,
    region: '',
    resources: [file.executionId],
    source: 'redrive',
    'detail-type': FAILED_FILE_TYPE,
    account,
    detail: {
      fileExecutionId: file.executionId,
      processedAt: file.processedAt,
      direction: file.direction,
      artifacts: file.artifacts,
      errors: [{ message: file.fault.message, faultCode: file.fault.code }],
      source: { name: file.name },
      partnership: { partnershipId: file.partnershipId },
    },
  };
}
