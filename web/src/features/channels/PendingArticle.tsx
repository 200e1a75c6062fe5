import { Button } from '@/components/ui/Button';
import { Markdown } from '@/components/ui/Markdown';
import { PlanLink } from '@/components/ui/PlanLink';
import type { Pending } from '@/lib/live/state';

import { MessageFrame } from './MessageFrame';

interface Props {
  pending: Pending;
  continued: boolean;
  onRetry: (pending: Pending) => void;
  onDiscard: (pending: Pending) => void;
}

/** A message of mine on its way, or one that did not arrive. */
export function PendingArticle({ pending, continued, onRetry, onDiscard }: Props) {
  const failed = pending.status === 'failed';
  return (
    <MessageFrame
      author={pending.author}
      at={pending.at}
      continued={continued}
      faded={!failed}
      busy={!failed}
    >
      <Markdown text={pending.text} />
      {failed && (
        <div role="alert" className="mt-2 flex flex-wrap items-center gap-2 text-sm text-danger">
          <span>
            Not sent. {pending.error}
            {pending.retryable === true && ' It goes out by itself when the server is back.'}
          </span>
          {pending.needsPlan === true && <PlanLink />}
          <Button size="small" onClick={() => onRetry(pending)}>
            Try again
          </Button>
          <Button size="small" variant="ghost" onClick={() => onDiscard(pending)}>
            Discard
          </Button>
        </div>
      )}
    </MessageFrame>
  );
}
