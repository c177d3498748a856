import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { shortId } from '../format/ids.ts';
import { useMissing } from './me.tsx';
import { endpointsQuery } from './queries.ts';

/** The handles of endpoints by their ids; where the session may not read endpoints their ids stand for them. */
export function useEndpointNames(): (id: string) => string {
  const missing = useMissing('read:endpoints');
  const { data } = useQuery({ ...endpointsQuery, enabled: missing === undefined });
  return useMemo(() => {
    const handles = new Map(data?.map(({ id, handle }) => [id, handle]));
    return (id) => handles.get(id) ?? shortId(id);
  }, [data]);
}
