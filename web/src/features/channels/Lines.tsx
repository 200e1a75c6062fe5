import type { Ref } from 'react';

import { useNow } from './useNow';

const DAY_MS = 24 * 60 * 60_000;
const THIS_YEAR = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const OTHER_YEAR = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });

/** Where a day begins. */
export function DayLine({ at }: { at: string }) {
  const day = dayName(new Date(at), new Date(useNow()));
  return (
    <div role="separator" aria-label={day} className="mt-6 flex items-center gap-3 px-4 first:mt-0 md:px-6">
      <span className="h-px flex-1 bg-line" />
      <span className="text-xs font-medium text-ink-faint">{day}</span>
      <span className="h-px flex-1 bg-line" />
    </div>
  );
}

/** Where begins what came while the channel was not open. */
export function NewLine({ ref }: { ref: Ref<HTMLDivElement> }) {
  return (
    <div
      ref={ref}
      role="separator"
      aria-label="New messages"
      className="mt-4 flex scroll-mt-20 items-center gap-3 px-4 md:px-6"
    >
      <span className="h-px flex-1 bg-danger/50" />
      <span className="text-xs font-medium text-danger">New</span>
    </div>
  );
}

function dayName(day: Date, now: Date): string {
  const days = Math.round((startOf(now) - startOf(day)) / DAY_MS); // a day of 23 hours is one, too
  if (days === 0) return 'Today';
  if (days === 1) return 'Yesterday';
  return (day.getFullYear() === now.getFullYear() ? THIS_YEAR : OTHER_YEAR).format(day);
}

function startOf(day: Date): number {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate()).getTime();
}
