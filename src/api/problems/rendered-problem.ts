/** An error in the words of a surface. */
export interface RenderedProblem {
  status: number;
  contentType?: string;
  body?: string;
  headers?: Record<string, string>;
}
