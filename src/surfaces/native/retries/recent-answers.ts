/** An answer is given again for so long at least. */
const LEAST_MS = 1_000;
/** And for as many times as long as it took: whoever looks costs a part of a core, however many look. */
const TIMES_ITS_COST = 10;
const MOST_ANSWERS = 200;

type Answer<Value> = { value: Promise<Value>; untilMs: number };

/** Answers that are dear to make and that many ask for again and again: each is made once for all who ask meanwhile. */
export class RecentAnswers<Value> {
  readonly #answers = new Map<string, Answer<Value>>();

  /** The recent answer by this name, or a new one; one that failed is made again. */
  get(name: string, make: () => Promise<Value>): Promise<Value> {
    const nowMs = performance.now();
    const known = this.#answers.get(name);
    if (known && known.untilMs > nowMs) return known.value;
    const answer: Answer<Value> = { value: make(), untilMs: Number.POSITIVE_INFINITY };
    this.#answers.delete(name);
    this.#answers.set(name, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > MOST_ANSWERS && oldest !== undefined) this.#answers.delete(oldest);
    answer.value.then(
      () => {
        const tookMs = performance.now() - nowMs;
        answer.untilMs = performance.now() + Math.max(LEAST_MS, tookMs * TIMES_ITS_COST);
      },
      () => {
        if (this.#answers.get(name) === answer) this.#answers.delete(name);
      },
    );
    return answer.value;
  }
}
