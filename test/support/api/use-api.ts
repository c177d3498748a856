import { use } from '../use.ts';
import { type ApiWorld, startApiWorld } from './api-world.ts';
import { startTestApi, type TestApi } from './test-api.ts';

type Overrides = Parameters<typeof startTestApi>[0];

/** An API of their own for the tests of a file or `describe`; overrides that another part gives come by a function. */
export function useApi(overrides?: Overrides | (() => Overrides)): TestApi {
  return use(
    () => startTestApi(typeof overrides === 'function' ? overrides() : overrides),
    (api) => api.close(),
  );
}

/** The same with two tenants that have something of each kind. */
export function useApiWorld(overrides?: Overrides): ApiWorld {
  return use(
    () => startApiWorld(overrides),
    ({ api }) => api.close(),
  );
}
