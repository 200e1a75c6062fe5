import { useDeferredValue } from 'react';

import { Markdown } from '@/components/ui/Markdown';
import type { Draft } from '@/lib/live/state';

import { MessageFrame } from './MessageFrame';

/** A reply while it is being written; read aloud only when it is finished. */
export function DraftArticle({
  draft,
  author,
  continued,
}: {
  draft: Draft;
  author: string;
  continued: boolean;
}) {
  const text = useDeferredValue(draft.text);
  return (
    <MessageFrame author={author} at={draft.at} continued={continued} busy>
      <div aria-live="off">
        <Markdown text={text} />
      </div>
    </MessageFrame>
  );
}
