import { cx } from './cx';

/** Grey lines in the place of text that is on its way. */
export function Skeleton({ lines = 3, label }: { lines?: number; label: string }) {
  return (
    <div role="status" aria-label={label} className="space-y-3">
      {Array.from({ length: lines }, (_, index) => (
        <div
          key={index}
          className={cx(
            'h-4 animate-breathe rounded-md bg-hover',
            ['w-11/12', 'w-3/4', 'w-5/6'][index % 3],
          )}
        />
      ))}
    </div>
  );
}
