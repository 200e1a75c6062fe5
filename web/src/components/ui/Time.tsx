const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'short' });

interface Props {
  at: string;
  /** The clock time alone, where something else tells the day. */
  clock?: boolean;
  className?: string;
}

/** A moment: the clock time today, the day before that; everything on hover. */
export function Time({ at, clock = false, className }: Props) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return null;
  const today = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={at} title={FULL.format(date)} className={className}>
      {clock || today ? CLOCK.format(date) : `${DAY.format(date)}, ${CLOCK.format(date)}`}
    </time>
  );
}
