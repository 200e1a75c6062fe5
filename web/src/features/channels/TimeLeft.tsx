import { coarse, useNow } from './useNow';

interface Props {
  /** Milliseconds since the epoch. */
  until: number;
  /** Whether silence is a no. */
  denies: boolean;
}

/** How long a question stays open, in steps that are worth being read aloud. */
export function TimeLeft({ until, denies }: Props) {
  const left = until - useNow();
  return (
    <span aria-live="polite" className="font-normal">
      {denies ? 'Denied' : 'Closes'} {left > 0 ? coarse(left) : 'now'}
    </span>
  );
}
