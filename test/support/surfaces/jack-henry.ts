import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import formatsPlugin from 'ajv-formats';
import type { Id } from '../../../src/domain/tenancy/typed-id.ts';

type Media = { schema: object; example?: unknown; examples?: Record<string, { value: unknown }> };
type PrintedOperation = {
  operationId: string;
  summary: string;
  parameters?: { $ref: string }[];
  requestBody: { required: boolean; content: { 'application/json': Media } };
  responses: Record<string, { $ref: string }>;
};

/** The OpenAPI document as it is printed, word for word. */
export const PRINTED = JSON.parse(
  readFileSync(new URL('../../surfaces/jack-henry/jack-henry.openapi.json', import.meta.url), 'utf8'),
) as {
  paths: Record<string, { post: PrintedOperation }>;
  components: Record<string, Record<string, { content?: Record<string, Media>; schema?: object }>>;
};

/** Where everything is. */
export const BASE = '/a/api/enterprise-event/v1';

/** Bodies that the document prints, with the path of their operation. */
export const PRINTED_BODIES = Object.entries(PRINTED.paths).flatMap(([path, { post }]) => {
  const { example, examples = {} } = post.requestBody.content['application/json'];
  return [
    ...(example === undefined ? [] : [{ path, name: `${post.operationId}: its example`, body: example }]),
    ...Object.entries(examples).map(([name, { value }]) => ({
      path,
      name: `${post.operationId}: ${name}`,
      body: value,
    })),
  ];
});

/** An answer as it came over the wire. */
export type RawAnswer = {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they expect and fail where it is not there
  body: any;
};

/** How a request is sent; `amiss` where it is not as the document wants it. */
export type JackHenryRequest = {
  key?: string | undefined;
  /** Text is sent as it is. */
  body?: unknown;
  headers?: Record<string, string>;
  method?: string;
  amiss?: true;
};

/** Calls a service, every request and every answer being checked against the printed document. */
export type JackHenry = {
  /** Posts, unless another method is said, to a path below {@link BASE}. */
  call(path: string, request?: JackHenryRequest): Promise<RawAnswer>;
  /** The same, for a request that must be accepted; returns the `retryId`. */
  retry(path: string, body?: unknown, request?: JackHenryRequest): Promise<Id<'operation'>>;
};

const ajv = new Ajv({ strict: false, allErrors: true });
// The package is CommonJS: its types say that the default import is the module, at run time it is the function.
(formatsPlugin as unknown as (instance: Ajv) => void)(ajv);
ajv.addSchema({ $id: 'printed', components: PRINTED.components });
const templates = Object.entries(PRINTED.paths).map(([template, { post }]) => ({
  post,
  names: [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string),
  pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`),
}));

const compiled = new Map<string, ReturnType<Ajv['compile']>>();

/** Why a value is not as a schema of the document says; undefined where it is. */
export function faultsOf(schema: object, value: unknown): string | undefined {
  const text = JSON.stringify(schema).replaceAll('"#/components/', '"printed#/components/');
  const check = compiled.get(text) ?? ajv.compile(JSON.parse(text));
  compiled.set(text, check);
  return check(value) ? undefined : ajv.errorsText(check.errors);
}

function component<Kind extends 'responses' | 'parameters'>(ref: { $ref: string }, kind: Kind) {
  const found = PRINTED.components[kind]?.[ref.$ref.split('/').at(-1) ?? ''];
  if (!found) throw new Error(`the document has no ${ref.$ref}`);
  return found;
}

/** Why a request is not as the document says. */
function requestFaults(path: string, body: unknown): string | undefined {
  const found = templates.find(({ pattern }) => pattern.test(path));
  if (!found) return 'no such path';
  const ids = found.pattern.exec(path)?.slice(1) ?? [];
  for (const [index, ref] of (found.post.parameters ?? []).entries()) {
    const fault = faultsOf(component(ref, 'parameters').schema ?? {}, ids[index]);
    if (fault) return `${ref.$ref}: ${fault}`;
  }
  const { required, content } = found.post.requestBody;
  if (body === undefined) return required ? 'the body is required' : undefined;
  return faultsOf(content['application/json'].schema, body);
}

/** Why an answer is not one that the document declares: its status, its type, each byte of a body there should be none of. */
function answerFaults(path: string, { status, headers, text }: RawAnswer): string | undefined {
  const found = templates.find(({ pattern }) => pattern.test(path));
  const declared = found?.post.responses[status];
  if (!declared) return `${status} is not declared: ${text}`;
  const { content } = component(declared, 'responses');
  if (!content)
    return text === '' && headers.get('content-type') === null && headers.get('content-length') === '0'
      ? undefined
      : `${status} has a body: ${headers.get('content-type')} ${text}`;
  const type = headers.get('content-type') ?? '';
  const media = content[type];
  return media ? faultsOf(media.schema, JSON.parse(text)) : `${status} is ${type}: ${text}`;
}

/** A client of the service at this address. */
export function jackHenryAt(url: string, standardKey?: string): JackHenry {
  const call: JackHenry['call'] = async (path, request = {}) => {
    const { body, headers, method = 'POST', amiss } = request;
    const key = 'key' in request ? request.key : standardKey;
    const full = `${BASE}${path}`;
    const printed = method === 'POST' && templates.some(({ pattern }) => pattern.test(full));
    if (printed && !amiss) {
      const fault = requestFaults(full, body);
      if (fault) throw new Error(`the request is not as printed: ${fault}`);
    }
    const response = await fetch(`${url}${full}`, {
      method,
      headers: {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : {
            body:
              typeof body === 'string' || body instanceof Uint8Array
                ? (body as string)
                : JSON.stringify(body),
          }),
    });
    const text = await response.text();
    const json = /json/.test(response.headers.get('content-type') ?? '');
    const answer = {
      status: response.status,
      headers: response.headers,
      text,
      body: json ? JSON.parse(text) : undefined,
    };
    const fault = printed ? answerFaults(full, answer) : undefined;
    if (fault) throw new Error(`${method} ${full}: the answer is not as printed: ${fault}`);
    return answer;
  };
  return {
    call,
    async retry(path, body, request = {}) {
      const answer = await call(path, { ...request, ...(body === undefined ? {} : { body }) });
      if (answer.status !== 200 && answer.status !== 202)
        throw new Error(`not accepted: ${answer.status} ${answer.text}`);
      return answer.body.retryId;
    },
  };
}
