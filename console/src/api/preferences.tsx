import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from 'react';
import type { Zone } from '../format/times.ts';

/** The theme: the system's, or the one that was chosen. */
export type Theme = 'system' | 'light' | 'dark';

interface Preferences {
  zone: Zone;
  theme: Theme;
  set: (change: Partial<{ zone: Zone; theme: Theme }>) => void;
}

const KEY = 'redrive.preferences';
const PreferencesContext = createContext<Preferences>({ zone: 'utc', theme: 'system', set: () => {} });

/** Keeps the zone and the theme of this browser; nothing else is ever kept in it. */
export function PreferencesProvider({ children }: { children: ReactNode }) {
  const [kept, setKept] = useState(readKept);
  useEffect(() => {
    const root = document.documentElement;
    if (kept.theme === 'system') delete root.dataset.theme;
    else root.dataset.theme = kept.theme;
    try {
      localStorage.setItem(KEY, JSON.stringify(kept));
    } catch {
      // A browser that keeps nothing shows the standard again next time.
    }
  }, [kept]);
  const value = useMemo(
    () => ({ ...kept, set: (change: object) => setKept((before) => ({ ...before, ...change })) }),
    [kept],
  );
  return <PreferencesContext value={value}>{children}</PreferencesContext>;
}

/** The preferences of this browser. */
export function usePreferences(): Preferences {
  return useContext(PreferencesContext);
}

function readKept(): { zone: Zone; theme: Theme } {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as { zone?: unknown; theme?: unknown };
    return {
      zone: kept.zone === 'local' ? 'local' : 'utc',
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'system',
    };
  } catch {
    return { zone: 'utc', theme: 'system' };
  }
}
