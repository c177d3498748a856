import { createRootRoute, createRoute, createRouter } from '@tanstack/react-router';
import { readSearch, type SearchInput, writeSearch } from './api/search-input.ts';
import { ApprovalsScreen } from './screens/approvals/approvals-screen.tsx';
import { AuditScreen } from './screens/audit/audit-screen.tsx';
import { DeliveryScreen } from './screens/delivery/delivery-screen.tsx';
import { EndpointScreen } from './screens/endpoint/endpoint-screen.tsx';
import { EndpointsScreen } from './screens/endpoint/endpoints-screen.tsx';
import { EventScreen } from './screens/event/event-screen.tsx';
import { FailuresScreen } from './screens/failures/failures-screen.tsx';
import { NowScreen } from './screens/now/now-screen.tsx';
import { ItemsScreen } from './screens/operation/items-screen.tsx';
import { OperationScreen } from './screens/operation/operation-screen.tsx';
import { OperationsScreen } from './screens/operations/operations-screen.tsx';
import { PlanItemsScreen } from './screens/recover/plan-items-screen.tsx';
import { RecoverScreen } from './screens/recover/recover-screen.tsx';
import { ReportScreen } from './screens/report/report-screen.tsx';
import { SettingsScreen } from './screens/settings/settings-screen.tsx';
import { CrashedScreen, NowhereScreen } from './shell/ends.tsx';
import { Shell } from './shell/shell.tsx';

/** Screens read their part of the URL themselves; the tenant goes with every link. */
const root = createRootRoute({
  component: Shell,
  notFoundComponent: NowhereScreen,
  errorComponent: CrashedScreen,
  validateSearch: (search: SearchInput): SearchInput => search,
  search: {
    middlewares: [
      ({ search, next }) => {
        const result = next(search);
        return search.tenant !== undefined && result.tenant === undefined
          ? { ...result, tenant: search.tenant }
          : result;
      },
    ],
  },
});

const at = <Path extends string>(path: Path, component: () => React.ReactNode) =>
  createRoute({ getParentRoute: () => root, path, component });

const routeTree = root.addChildren([
  at('/', NowScreen),
  at('/failures', FailuresScreen),
  at('/recover', RecoverScreen),
  at('/plans/$id/items', PlanItemsScreen),
  at('/operations', OperationsScreen),
  at('/operations/$id', OperationScreen),
  at('/operations/$id/items', ItemsScreen),
  at('/operations/$id/report', ReportScreen),
  at('/approvals', ApprovalsScreen),
  at('/deliveries/$id', DeliveryScreen),
  at('/events/$id', EventScreen),
  at('/endpoints', EndpointsScreen),
  at('/endpoints/$id', EndpointScreen),
  at('/audit', AuditScreen),
  at('/settings', SettingsScreen),
]);

/** The screens of the console by their paths. */
export const router = createRouter({
  routeTree,
  basepath: '/console',
  parseSearch: (text) => readSearch(text),
  stringifySearch: (search) => writeSearch(search),
  // Focus and scrolling are the shell's.
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
