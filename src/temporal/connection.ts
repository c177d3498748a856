import { Client, type ClientOptions } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import { NativeConnection } from '@temporalio/worker';
import { callWithin } from './call-within.ts';

/** Where Temporal is: the address of a server that we started ourselves, or the one that the environment names. */
export interface TemporalPlace {
  /** Absent: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS and API key of the environment, or its profile file. */
  address?: string;
}

/** A connection that workers and clients of one process share, so that starts can be eager. */
export interface TemporalLink {
  connection: NativeConnection;
  client: Client;
  namespace: string;
}

const PROBE_MS = 1_000;

/** Whether Temporal answers at this moment. */
export function temporalAnswers(link: TemporalLink): Promise<boolean> {
  return callWithin(link, PROBE_MS, () => link.connection.workflowService.getSystemInfo({})).then(
    () => true,
    () => false,
  );
}

/** Connects to Temporal; throws where it does not answer. */
export async function connectTemporal(place: TemporalPlace): Promise<TemporalLink> {
  const config = place.address
    ? { connectionOptions: { address: place.address }, namespace: 'default' }
    : loadClientConnectConfig();
  const connection = await NativeConnection.connect(config.connectionOptions);
  const namespace = config.namespace ?? 'default';
  const options: ClientOptions = { connection, namespace };
  return { connection, client: new Client(options), namespace };
}
