import { type Id, showId } from '../../domain/tenancy/typed-id.ts';

/** The input of a file execution: where its payload can be read. */
export interface FileArtifact {
  artifactType: 'application/json';
  usage: 'input';
  url: string;
  sizeBytes: number;
  model: 'EVENT';
}

/** The artifacts of an execution: its payload, while that is kept. */
export function fileArtifacts(file: {
  event: { id: Id<'event'>; payloadBytes: number };
  payloadKept: boolean;
}): FileArtifact[] {
  if (!file.payloadKept) return [];
  return [
    {
      artifactType: 'application/json',
      usage: 'input',
      url: `/api/v1/events/${showId('event', file.event.id)}?include=payload`,
      sizeBytes: file.event.payloadBytes,
      model: 'EVENT',
    },
  ];
}
