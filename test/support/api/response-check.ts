import { Ajv2020 } from 'ajv/dist/2020.js';
import formatsPlugin from 'ajv-formats';

/** An answer as far as its form goes. */
type Checked = { status: number; headers: Headers; text: string; body: unknown };

/** Says whether answers are as an OpenAPI document promises. */
export type ResponseCheck = {
  /** Throws where the answer is not as documented; a path that is not documented must answer a problem. */
  assert(method: string, path: string, answer: Checked): void;
};

type Response = { content?: Record<string, { schema: object }> };
type Operation = { responses: Record<string, Response | { $ref: string }> };
type Document = {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; responses?: Record<string, Response> };
};

const PROBLEM = 'application/problem+json';

/** Compiles the schemas of a document once. */
export function createResponseCheck(openApi: unknown): ResponseCheck {
  const document = openApi as Document;
  const ajv = new Ajv2020({
    strict: false,
    allErrors: true,
    // Most of what is compiled is used a few times; that the document is valid is tested by itself.
    code: { optimize: false },
    validateSchema: false,
  });
  // The package is CommonJS: its types say that the default import is the module, at run time it is the function.
  (formatsPlugin as unknown as (instance: Ajv2020) => void)(ajv);
  ajv.addSchema({ $id: 'api', components: document.components });
  const paths = Object.keys(document.paths).map((template) => ({
    template,
    pattern: new RegExp(`^${template.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+')}$`),
  }));

  // Compiling takes far longer than checking, and tests that poll ask for the same thing again and again.
  const compiled = new WeakMap<object, ReturnType<Ajv2020['compile']>>();
  const PROBLEM_SCHEMA = { $ref: '#/components/schemas/Problem' };

  /** A response, wherever it stands. */
  function resolved(response: Response | { $ref: string } | undefined): Response | undefined {
    if (response === undefined || !('$ref' in response)) return response;
    return document.components.responses?.[response.$ref.replace('#/components/responses/', '')];
  }

  function compile(schema: object): ReturnType<Ajv2020['compile']> {
    const known = compiled.get(schema);
    if (known) return known;
    const absolute = JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/'));
    const check = ajv.compile(absolute);
    compiled.set(schema, check);
    return check;
  }

  function validate(schema: object, value: unknown, what: string): void {
    const check = compile(schema);
    if (!check(value))
      throw new Error(
        `${what} is not as documented: ${ajv.errorsText(check.errors)}\n${JSON.stringify(value)}`,
      );
  }

  return {
    assert(method, path, { status, headers, body }) {
      const pathname = path.split('?')[0] ?? '';
      const what = `${method} ${pathname} → ${status}`;
      const type = headers.get('content-type')?.split(';')[0];
      const found = paths.find(({ pattern }) => pattern.test(pathname));
      const operation = found && document.paths[found.template]?.[method.toLowerCase()];
      if (!operation) {
        if (type !== PROBLEM) throw new Error(`${what}: undocumented, and no problem but ${type}`);
        return validate(PROBLEM_SCHEMA, body, what);
      }
      const response = resolved(operation.responses[String(status)]);
      if (!response) throw new Error(`${what}: this status is not documented: ${JSON.stringify(body)}`);
      if (!response.content) {
        if (body !== undefined) throw new Error(`${what}: has a body, documented without one`);
        return;
      }
      const content = type === undefined ? undefined : response.content[type];
      if (!content) throw new Error(`${what}: content type ${type} is not documented`);
      if (type?.includes('json') && !type.includes('ndjson')) validate(content.schema, body, what);
    },
  };
}
