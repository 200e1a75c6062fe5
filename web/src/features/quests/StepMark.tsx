import { Circle, CircleAlert, CircleCheck, CircleDot } from 'lucide-react';

const DONE = new Set(['completed', 'done', 'skipped']);
const NOW = new Set(['running', 'waiting', 'current', 'active']);

/** How far a step is: as a sign, and in words for screen readers. */
export function StepMark({ status }: { status: string }) {
  const [Icon, style] = DONE.has(status)
    ? [CircleCheck, 'text-accent']
    : NOW.has(status)
      ? [CircleDot, 'text-info']
      : status === 'failed'
        ? [CircleAlert, 'text-danger']
        : [Circle, 'text-line-strong'];
  return (
    <>
      <Icon aria-hidden size={15} className={style} />
      <span className="sr-only">{status}: </span>
    </>
  );
}
