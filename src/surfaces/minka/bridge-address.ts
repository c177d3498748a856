/** How a bridge can be named: by its luid, or by its address. */
export type BridgeAddress = { luid: string } | { handle: string; parent?: string };

const LUID = /^\$brg\.[A-Za-z0-9_-]{17}$/;
const ADDRESS =
  /^(((?<schema>[a-zA-Z0-9_\-+.]+):)?(?<handle>[a-zA-Z0-9_\-+.]+))(@(?<parent>[a-zA-Z0-9_\-+.]+))?$/;

/** Reads `$brg.…` or `schema:handle@parent`, of which only the handle is required; undefined for anything else. */
export function readBridgeAddress(text: string): BridgeAddress | undefined {
  if (LUID.test(text)) return { luid: text };
  const { handle, parent } = ADDRESS.exec(text)?.groups ?? {};
  return handle === undefined ? undefined : { handle, ...(parent === undefined ? {} : { parent }) };
}
