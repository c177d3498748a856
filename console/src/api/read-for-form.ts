import { type QueryKey, type UseQueryOptions, type UseQueryResult, useQuery } from '@tanstack/react-query';

type Read<Data> = Pick<UseQueryResult<Data>, 'data' | 'error' | 'isPending' | 'refetch'>;

/**
 * Reads what a form begins with, once, when it opens. A form keeps its first values and sends all of them back: an answer
 * that was kept from before would undo what was changed since, and one that comes later would be mixed with what was typed.
 */
export function useReadForForm<Data>(
  options: Pick<UseQueryOptions<Data, Error, Data, QueryKey>, 'queryKey' | 'queryFn'>,
): Read<Data> {
  const { data, error, isFetchedAfterMount, refetch } = useQuery({
    ...options,
    staleTime: 0,
    gcTime: 0,
    refetchOnMount: 'always',
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  return {
    data: isFetchedAfterMount && error === null ? data : undefined,
    error,
    isPending: !isFetchedAfterMount,
    refetch,
  };
}
