import { cx } from './cx';

const TONES: Record<string, string> = {
  running: 'bg-success',
  ready: 'bg-success',
  idle: 'bg-success',
  active: 'bg-success',
  busy: 'bg-info animate-breathe',
  working: 'bg-info animate-breathe',
  starting: 'bg-warning animate-breathe',
  waiting: 'bg-warning',
  failed: 'bg-danger',
  suspended: 'bg-danger',
};

/** An agent's status as a colour; the words stand beside it or in its name. */
export function StatusDot({ status, className }: { status: string; className?: string }) {
  return (
    <span
      aria-hidden
      title={status}
      className={cx('size-2 shrink-0 rounded-full', TONES[status] ?? 'bg-line-strong', className)}
    />
  );
}
