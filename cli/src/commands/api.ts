import { errorOf } from '@redrive/client';
import { readInput } from '../command/body.ts';
import { argument, type Command, command, list, value } from '../command/command.ts';
import { usage } from '../core/stop.ts';

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

const api = command({
  path: ['api'],
  summary: 'Make any call of the API, with the key and the address of the profile',
  details: ['What is answered is written as it came. Nothing is asked before it: it is what curl would do.'],
  examples: ['redrive api GET /api/v1/me', 'redrive api POST /api/v1/retries/op_…/pause'],
  args: { method: argument(METHODS.join(', ')), path: argument('its path: /api/v1/…') },
  flags: {
    file: value('<file>', 'the body; - is standard input'),
    accept: value('<type>', 'the media type of the answer; application/json where left out'),
    header: list('<name:value>', 'a further header', { commas: false }),
  },
  async run(context, { args, flags }) {
    const method = args.method.toUpperCase();
    if (!METHODS.includes(method))
      throw usage(`Expected one of ${METHODS.join(', ')}, not "${args.method}".`);
    // Never a whole address: the key goes to that of the profile.
    if (!/^\/(?!\/)/.test(args.path)) throw usage('Expected a path that begins with one slash.');
    const { raw } = await context.api();
    const body = flags.file ? await readInput(context, flags.file) : undefined;
    const response = await raw(args.path, {
      method,
      ...(body === undefined ? {} : { body }),
      headers: {
        accept: flags.accept ?? 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headersOf(flags.header ?? []),
      },
    });
    if (!response.ok) throw errorOf(await response.json().catch(() => undefined), response);
    if (response.body) await context.out.jsonBytes(response.body);
  },
});

function headersOf(said: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    said.map((text) => {
      const colon = text.indexOf(':');
      const name = text.slice(0, colon).trim().toLowerCase();
      if (colon < 1) throw usage(`Expected a header such as Accept-Language: en, not "${text}".`);
      if (name === 'authorization') throw usage('No flag takes a key: set REDRIVE_KEY, or use a profile.');
      return [name, text.slice(colon + 1).trim()];
    }),
  );
}

/** The command that calls anything of the API. */
export const API: readonly Command[] = [api];
