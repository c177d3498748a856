/** Moves the focus to the first link of the next or previous row of the screen, over all of its tables. */
export function moveRow(main: HTMLElement | null, by: 1 | -1): void {
  const rows = [...(main?.querySelectorAll<HTMLElement>('tr[data-row]') ?? [])].filter((row) =>
    row.querySelector('a'),
  );
  const current = rows.findIndex((row) => row.contains(document.activeElement));
  const next = current === -1 ? 0 : Math.max(0, Math.min(rows.length - 1, current + by));
  rows[next]?.querySelector('a')?.focus();
}

/** Opens the row that has the focus. */
export function openRow(): void {
  document.activeElement?.closest('tr[data-row]')?.querySelector('a')?.click();
}
