import { startTestEngine } from '../engine/test-engine.ts';
import { startTcpProxy, type TcpProxy } from '../receivers/tcp-proxy.ts';
import { use } from '../use.ts';
import { builtConsole, signInAddress, type TestConsole } from './use-console.ts';

/** The whole service with its console, which browsers reach through something that can be cut. */
export interface CuttableConsole extends TestConsole {
  proxy: TcpProxy;
}

/** Starts it for the tests of a file or `describe`. */
export function useCuttableConsole(): CuttableConsole {
  return use(
    async () => {
      // Its port is the public one, which the service has to know before it starts.
      const proxy = await startTcpProxy('127.0.0.1:1', { open: false });
      const url = `http://${proxy.address}`;
      const engine = await startTestEngine({ consoleFiles: builtConsole(), publicOrigin: url });
      proxy.forward(new URL(engine.service.url ?? '').host);
      return {
        engine,
        url,
        proxy,
        signedIn: (tenant: string, key = 'test') => signInAddress(engine, url, tenant, key),
      };
    },
    async ({ engine, proxy }) => {
      await proxy.close();
      await engine.close();
    },
  );
}
