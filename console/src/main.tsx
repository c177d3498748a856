import { ProblemError } from '@redrive/client';
import { hashKey, MutationCache, QueryCache, QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { Tooltip } from 'radix-ui';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { PreferencesProvider } from './api/preferences.tsx';
import { meQuery } from './api/queries.ts';
import { callerKey, followSessions } from './api/sessions.ts';
import { chosenTenant } from './api/tenant.ts';
import { router } from './router.tsx';
import { takeSignInCode } from './shell/sign-in-code.ts';
import './ui/tokens.css';
import './ui/base.css';

// Libraries that make styles show this nonce, without which the policy of the page refuses them.
const nonce = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')?.nonce;
Object.assign(globalThis, { __webpack_nonce__: nonce });

// Before anything else: the code must not stay in the address, where a screenshot or a bookmark would keep it.
takeSignInCode();

/** A session that is over shows at any call: who is here is asked again, and the sign-in comes. */
const onError = (error: unknown) => {
  const over = error instanceof ProblemError && error.problem.status === 401;
  const { queryKey } = meQuery;
  if (over && queries.getQueryState(queryKey)?.status === 'success')
    void queries.invalidateQueries({ queryKey });
};

const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // An answer for one tenant, or one caller, is none for another; who is calling is asked by nobody yet.
      queryKeyHashFn: (key) =>
        hashKey([chosenTenant() ?? '', key[0] === meQuery.queryKey[0] ? '' : callerKey(), ...key]),
      staleTime: 5_000,
      // A refusal stays one; what is away may come back.
      retry: (failures, error) =>
        failures < 3 && !(error instanceof ProblemError && error.problem.status < 500),
    },
  },
});

followSessions(queries);

const element = document.querySelector('#root');
if (!element) throw new Error('Expected the page to have a root.');
createRoot(element).render(
  <StrictMode>
    <PreferencesProvider>
      <QueryClientProvider client={queries}>
        <Tooltip.Provider delayDuration={200}>
          <RouterProvider router={router} />
        </Tooltip.Provider>
      </QueryClientProvider>
    </PreferencesProvider>
  </StrictMode>,
);
