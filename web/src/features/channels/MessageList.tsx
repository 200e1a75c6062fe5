import { ArrowDown } from 'lucide-react';
import { useEffect, useMemo, type ReactNode } from 'react';

import type { Channel } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import type { Pending } from '@/lib/live/state';
import { awaitsReply, timelineOf, type TimelineItem } from '@/lib/live/selectors';

import { DraftArticle } from './DraftArticle';
import { MessageArticle } from './MessageArticle';
import { nameOf } from './names';
import { PendingArticle } from './PendingArticle';
import { Thinking } from './Thinking';
import { useStickToBottom } from './useStickToBottom';

/** Messages by one author this close together share a heading. */
const TOGETHER_MS = 5 * 60_000;

interface Props {
  channel: Channel;
  /** Stands above the oldest message. */
  before: ReactNode;
  /** Stands in the place of messages when there are none. */
  empty: ReactNode;
}

export function MessageList({ channel, before, empty }: Props) {
  const { sender } = useLive();
  const state = useLiveState((live) => live);
  const items = useMemo(() => timelineOf(state, channel.id), [state, channel.id]);
  const { box, content, atEnd, toEnd } = useStickToBottom();
  const sent = items.findLast((item) => item.kind === 'pending')?.key;

  useEffect(() => {
    if (sent !== undefined) toEnd(); // whoever writes wants to see it
  }, [sent, toEnd]);

  return (
    <div className="relative min-h-0 flex-1">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it */}
      <div ref={box} tabIndex={0} className="h-full overflow-y-auto focus-visible:-outline-offset-2">
        <div ref={content} className="mx-auto flex min-h-full max-w-3xl flex-col justify-end py-5">
          {before}
          {items.length === 0 && empty}
          <div role="log" aria-label="Messages">
            {items.map((item, index) => (
              <Item
                key={item.key}
                item={item}
                continued={isContinued(items[index - 1], item)}
                agent={nameOf(channel.name)}
                channel={channel}
                onRetry={(pending) => void sender.send(channel, pending.text, pending)}
                onDiscard={(id) => sender.discard(id)}
              />
            ))}
          </div>
          {channel.status !== 'stopped' && awaitsReply(items) && (
            <Thinking name={nameOf(channel.name)} />
          )}
        </div>
      </div>
      {!atEnd && (
        <div className="absolute inset-x-0 bottom-3 flex animate-rise justify-center">
          <Button size="small" className="shadow-float" onClick={toEnd}>
            <ArrowDown aria-hidden size={14} /> Jump to latest
          </Button>
        </div>
      )}
    </div>
  );
}

interface ItemProps {
  item: TimelineItem;
  continued: boolean;
  agent: string;
  channel: Channel;
  onRetry: (pending: Pending) => void;
  onDiscard: (clientId: string) => void;
}

function Item({ item, continued, agent, channel, onRetry, onDiscard }: ItemProps) {
  switch (item.kind) {
    case 'message':
      return <MessageArticle message={item.message} continued={continued} channel={channel} />;
    case 'draft':
      return item.draft.text === '' ? null : <DraftArticle draft={item.draft} author={agent} />;
    case 'pending':
      return (
        <PendingArticle
          pending={item.pending}
          continued={continued}
          onRetry={onRetry}
          onDiscard={({ clientId }) => onDiscard(clientId)}
        />
      );
  }
}

function isContinued(previous: TimelineItem | undefined, item: TimelineItem): boolean {
  const [a, b] = [wordOf(previous), wordOf(item)];
  return (
    a !== null && b !== null && a.author === b.author && Date.parse(b.at) - Date.parse(a.at) < TOGETHER_MS
  );
}

function wordOf(item: TimelineItem | undefined): { author: string; at: string } | null {
  if (item?.kind === 'message') return item.message;
  return item?.kind === 'pending' ? item.pending : null;
}
