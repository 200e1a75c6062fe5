import { useDeferredValue } from 'react';

import { Markdown } from '@/components/ui/Markdown';
import type { Draft } from '@/lib/live/state';

import { MessageFrame } from './MessageFrame';

/** A reply while it is being written; read aloud only when it is finished. */
export function DraftArticle({ draft, author }: { draft: Draft; author: string }) {
  const text = useDeferredValue(draft.text);
  return (
    <MessageFrame author={author} at={draft.at} continued={false} busy>
      <div aria-live="off">
        <Markdown text={text} />
      </div>
    </MessageFrame>
  );
}
