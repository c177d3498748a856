/**
 * Says that something has begun, every few seconds that it goes on, and how it ended; returns the result of `work`. On a
 * terminal it has one line, unless it is not the only one that says something.
 */
export async function step(title, work, live = process.stdout.isTTY === true) {
  const startedAt = performance.now();
  const seconds = () => `${((performance.now() - startedAt) / 1_000).toFixed(1)} s`;
  const say = (text) => process.stdout.write(live ? `\r\x1b[2K${text}` : `${text}\n`);
  say(`• ${title} …`);
  const timer = setInterval(() => say(`• ${title} … still working (${seconds()})`), live ? 500 : 3_000);
  try {
    const result = await work();
    clearInterval(timer);
    say(`✔ ${title} (${seconds()})${live ? '\n' : ''}`);
    return result;
  } catch (error) {
    clearInterval(timer);
    say(`✘ ${title} (${seconds()})${live ? '\n' : ''}`);
    throw error;
  }
}
