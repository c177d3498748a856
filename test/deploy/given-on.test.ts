import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

test('the bill of materials names what is installed and what is bundled, and no tool', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/release/sbom.mjs'], {
    maxBuffer: 64 * 1_024 * 1_024,
  });
  const { metadata, components } = JSON.parse(stdout);
  expect(metadata.component.name).toBe('redrive');
  const refs: string[] = components.map((each: { 'bom-ref': string }) => each['bom-ref']);
  const names = new Set(refs.map((ref) => ref.slice(0, ref.lastIndexOf('@'))));
  const given = ['zod', 'undici', '@swc/core', 'react', 'uplot', '@radix-ui/react-dialog', 'commander'];
  expect([...given, '@noble/curves', '@redrive/cli'].filter((name) => !names.has(name))).toEqual([]);
  expect(['vite', 'jest', '@types/react', 'playwright-core'].filter((name) => names.has(name))).toEqual([]);
});
