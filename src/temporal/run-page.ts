/** A run as the Temporal UI names it. */
export interface NamedRun {
  namespace: string;
  workflowId: string;
  runId: string;
}

/** The page of a run in the Temporal UI at an address. */
export function pageOfRun(uiUrl: string, { namespace, workflowId, runId }: NamedRun): string {
  // Ids of ours have slashes, which the UI would take for parts of its path.
  const path = ['namespaces', namespace, 'workflows', workflowId, runId, 'history'].map(encodeURIComponent);
  return `${uiUrl}/${path.join('/')}`;
}
