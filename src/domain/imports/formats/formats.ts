import type { FormatReader, ImportFormat } from '../import-record.ts';
import { readConvoy } from './convoy.ts';
import { readHookdeck } from './hookdeck.ts';
import { readNdjson } from './ndjson.ts';
import { readSqs } from './sqs.ts';
import { readStripe } from './stripe.ts';
import { readSvix } from './svix.ts';

interface Format {
  read: FormatReader;
  /** The member in which its lines have the id of their event, or of their delivery. */
  idMember: string;
  /** Its lines name the endpoint that they are about. */
  namesEndpoints: boolean;
  /** The source of its events, where neither the line nor the import names one. */
  source?: string;
}

/** The formats by name. */
export const FORMATS: Record<ImportFormat, Format> = {
  ndjson: { read: readNdjson, idMember: 'id', namesEndpoints: true },
  svix: { read: readSvix, idMember: 'msgId', namesEndpoints: true, source: 'svix' },
  hookdeck: { read: readHookdeck, idMember: 'id', namesEndpoints: true, source: 'hookdeck' },
  convoy: { read: readConvoy, idMember: 'uid', namesEndpoints: true, source: 'convoy' },
  sqs: { read: readSqs, idMember: 'MessageId', namesEndpoints: false, source: 'sqs' },
  stripe: { read: readStripe, idMember: 'id', namesEndpoints: false, source: 'stripe' },
};
