import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { patient } from '../../support/patience.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
type Shown = any;

/** An answer that came. */
export interface SmallReply {
  status: number;
  body: Shown;
  text: string;
}

/** The request of a client that asks again, under one idempotency key, where nobody answers. */
export interface SmallAsk {
  key: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const AGAIN_MS = 50;
const ANSWERS_WITHIN_MS = 5_000;

/** Calls an API that comes and goes. */
export class SmallClient {
  readonly #url: () => string | undefined;
  readonly #adminKey: string;

  constructor(url: () => string | undefined, adminKey: string) {
    this.#url = url;
    this.#adminKey = adminKey;
  }

  /** Asks until there is an answer that is not about something that is away. */
  async ask(method: string, path: string, { key, body, headers = {} }: SmallAsk): Promise<SmallReply> {
    const deadline = performance.now() + patient(30_000);
    const idempotencyKey = randomUUID();
    let seen = 'nothing';
    while (performance.now() < deadline) {
      const reply = await this.#once(method, path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(method === 'POST' ? { 'idempotency-key': idempotencyKey } : {}),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (typeof reply !== 'string') return reply;
      seen = reply;
      await delay(AGAIN_MS);
    }
    throw new Error(`${method} ${path} was not answered: ${seen}`);
  }

  /** The body of an answer that has to be a success. */
  async get(method: string, path: string, asked: SmallAsk): Promise<Shown> {
    const { status, body, text } = await this.ask(method, path, asked);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
    return body;
  }

  /** The same as the administrator, of a tenant where one is named. */
  asAdmin(method: string, path: string, body: unknown, tenant?: string): Promise<Shown> {
    return this.get(method, path, {
      key: this.#adminKey,
      body,
      ...(tenant === undefined ? {} : { headers: { 'redrive-tenant': tenant } }),
    });
  }

  async #once(method: string, path: string, init: RequestInit): Promise<SmallReply | string> {
    const url = this.#url();
    if (url === undefined) return 'no API';
    try {
      const answer = await fetch(`${url}${path}`, {
        ...init,
        signal: AbortSignal.timeout(patient(ANSWERS_WITHIN_MS)),
      });
      const text = await answer.text();
      if (answer.status >= 500 || answer.status === 429) return `${method} ${path}: ${answer.status} ${text}`;
      const isJson = (answer.headers.get('content-type') ?? '').includes('json') && !text.includes('\n{');
      return { status: answer.status, text, body: isJson && text !== '' ? JSON.parse(text) : undefined };
    } catch (error) {
      return (error as Error).message;
    }
  }
}
