import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback } from 'react';
import type { SearchInput } from '../api/search-input.ts';

/** The parameters of the URL, and how they are changed; what becomes undefined is taken away. */
export function useUrl(): [SearchInput, (change: SearchInput, how?: { replace?: boolean }) => void] {
  const search: SearchInput = useSearch({ strict: false });
  const navigate = useNavigate();
  const change = useCallback(
    (changed: SearchInput, { replace = false }: { replace?: boolean } = {}) =>
      void navigate({
        to: '.',
        search: (before: SearchInput) => ({ ...before, ...changed }),
        replace,
        resetScroll: false,
      }),
    [navigate],
  );
  return [search, change];
}
