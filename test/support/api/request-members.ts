type Schema = {
  $ref?: string;
  format?: string;
  example?: unknown;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
};
type Parameter = { in: string; name: string; schema: Schema };
type Operation = {
  parameters?: (Parameter | { $ref: string })[];
  requestBody?: { content: Record<string, { schema: Schema }> };
};

/** A member of a body or a parameter of a query, as `post /path a.b[]`, with its format and example in the document. */
export type RequestMember = { key: string; name: string; format?: string; example?: unknown };

/** Every parameter of a query and every member of a body that an OpenAPI document knows. */
export function requestMembers(document: Record<string, unknown>): RequestMember[] {
  const { paths, components } = document as {
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, Schema>; parameters: Record<string, Parameter> };
  };
  const named = (ref: string) => ref.split('/').at(-1) ?? '';
  const found = new Map<string, RequestMember>();
  const walk = (shown: Schema, route: string, path: string): void => {
    const schema = shown.$ref ? (components.schemas[named(shown.$ref)] ?? {}) : shown;
    const { format, example } = schema;
    const name = path.split('.').at(-1) ?? '';
    if (path !== '')
      found.set(`${route} ${path}`, {
        key: `${route} ${path}`,
        name,
        ...(format === undefined ? {} : { format }),
        ...(example === undefined ? {} : { example }),
      });
    for (const [member, inner] of Object.entries(schema.properties ?? {}))
      walk(inner, route, path === '' ? member : `${path}.${member}`);
    if (schema.items) walk(schema.items, route, `${path}[]`);
    for (const inner of [schema.anyOf, schema.oneOf, schema.allOf].flatMap((several) => several ?? []))
      walk(inner, route, path);
  };
  for (const [path, operations] of Object.entries(paths))
    for (const [method, { parameters = [], requestBody }] of Object.entries(operations)) {
      const route = `${method} ${path}`;
      for (const shown of parameters) {
        const parameter = '$ref' in shown ? components.parameters[named(shown.$ref)] : shown;
        if (parameter?.in === 'query') walk(parameter.schema, route, parameter.name);
      }
      for (const { schema } of Object.values(requestBody?.content ?? {})) walk(schema, route, '');
    }
  return [...found.values()];
}
