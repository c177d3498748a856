import { useQuery } from '@tanstack/react-query';
import { shortId } from '../format/ids.ts';
import { useMissing } from './me.tsx';
import { endpointsQuery } from './queries.ts';

/** The handles of endpoints by their ids; where the session may not read endpoints their ids stand for them. */
export function useEndpointNames(): (id: string) => string {
  const missing = useMissing('read:endpoints');
  const { data } = useQuery({ ...endpointsQuery, enabled: missing === undefined });
  return (id) => data?.find((endpoint) => endpoint.id === id)?.handle ?? shortId(id);
}
