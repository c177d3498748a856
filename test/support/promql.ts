import type { SyntaxNode } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';

/** The labels that an expression asks each of its metrics for, by the metric; one that it only reads has none. */
export function labelsAskedFor(expression: string): Map<string, Set<string>> {
  // Grafana puts a time in the place of its own variable.
  const text = expression.replaceAll('$__rate_interval', '5m');
  const asked = new Map<string, Set<string>>();
  const wanted = (selectors: SyntaxNode[], labels: string[]) => {
    for (const selector of selectors) {
      const of = textOf(selector.getChild('Identifier')) ?? '';
      asked.set(of, new Set([...(asked.get(of) ?? []), ...labels]));
    }
  };
  const textOf = (node: SyntaxNode | null) => (node ? text.slice(node.from, node.to) : undefined);
  const namesIn = (node: SyntaxNode | null) => below(node, 'LabelName').map((label) => textOf(label) ?? '');
  parser.parse(text).iterate({
    enter({ type, node }) {
      if (type.isError) throw new Error(`no PromQL at ${node.from}: ${text}`);
      if (type.name === 'VectorSelector') wanted([node], namesIn(node));
      if (type.name === 'AggregateExpr') wanted(below(node, 'VectorSelector'), groupedBy(node));
      if (type.name === 'BinaryExpr' && node.getChild('MatchingModifierClause')?.getChild('On'))
        wanted(below(node, 'VectorSelector'), namesIn(node.getChild('MatchingModifierClause')));
    },
  });
  return asked;

  function groupedBy(aggregate: SyntaxNode): string[] {
    const modifier = aggregate.getChild('AggregateModifier');
    return modifier?.getChild('By') ? namesIn(modifier) : [];
  }
}

/** The values that an expression asks labels for by `=` or `!=`, but for those that a person chooses in Grafana. */
export function valuesAskedFor(expression: string): { series: string; label: string; value: string }[] {
  return [...expression.matchAll(/(\w+)\{([^}]*)\}/g)].flatMap(([, series = '', matchers = '']) =>
    [...matchers.matchAll(/(\w+)\s*!?="([^"$]*)"/g)].map(([, label = '', value = '']) => ({
      series,
      label,
      value,
    })),
  );
}

/** All nodes of a kind below one. */
function below(node: SyntaxNode | null, kind: string): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node?.firstChild ?? null; child; child = child.nextSibling)
    found.push(...(child.name === kind ? [child] : below(child, kind)));
  return found;
}
