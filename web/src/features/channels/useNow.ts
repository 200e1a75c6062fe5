import { useEffect, useState } from 'react';

const EVERY_MS = 15_000;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** The time, in milliseconds since the epoch; moves on a few times a minute. */
export function useNow(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** A span of time in few words that seldom change: `in about 20 minutes`. */
export function coarse(ms: number): string {
  if (ms < MINUTE) return 'in less than a minute';
  if (ms < 10 * MINUTE) return plural(Math.round(ms / MINUTE), 'minute');
  if (ms < 55 * MINUTE) return plural(Math.round(ms / (5 * MINUTE)) * 5, 'minute');
  if (ms < 36 * HOUR) return plural(Math.round(ms / HOUR), 'hour');
  return plural(Math.round(ms / (24 * HOUR)), 'day');
}

function plural(count: number, unit: string): string {
  return `in about ${count} ${unit}${count === 1 ? '' : 's'}`;
}
