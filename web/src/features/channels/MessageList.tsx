import { ArrowDown } from 'lucide-react';
import { useEffect, useMemo, type ReactNode } from 'react';

import type { Channel } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import type { Pending } from '@/lib/live/state';
import { awaitsReply, timelineOf, type TimelineItem } from '@/lib/live/selectors';

import { DraftArticle } from './DraftArticle';
import { DayLine, NewLine } from './Lines';
import { MessageArticle } from './MessageArticle';
import { nameOf } from './names';
import { PendingArticle } from './PendingArticle';
import { rowsOf, type Row, type Unread } from './rows';
import { Thinking } from './Thinking';
import { useStickToBottom } from './useStickToBottom';

interface Props {
  channel: Channel;
  /** As it was when the channel was opened. */
  unread: Unread;
  /** Stands above the oldest message. */
  before: ReactNode;
  /** Stands in the place of messages when there are none. */
  empty: ReactNode;
}

export function MessageList({ channel, unread, before, empty }: Props) {
  const { sender } = useLive();
  const state = useLiveState((live) => live);
  const items = useMemo(() => timelineOf(state, channel.id), [state, channel.id]);
  const rows = useMemo(() => rowsOf(items, channel.name, unread), [items, channel.name, unread]);
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
            {rows.map((row) => (
              <RowView
                key={row.key}
                row={row}
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

interface RowProps {
  row: Row;
  agent: string;
  channel: Channel;
  onRetry: (pending: Pending) => void;
  onDiscard: (clientId: string) => void;
}

function RowView({ row, ...props }: RowProps) {
  switch (row.kind) {
    case 'day':
      return <DayLine at={row.at} />;
    case 'new':
      return <NewLine />;
    case 'item':
      return <Item item={row.item} continued={row.continued} {...props} />;
  }
}

interface ItemProps extends Omit<RowProps, 'row'> {
  item: TimelineItem;
  continued: boolean;
}

function Item({ item, continued, agent, channel, onRetry, onDiscard }: ItemProps) {
  switch (item.kind) {
    case 'message':
      return <MessageArticle message={item.message} continued={continued} channel={channel} />;
    case 'draft':
      return <DraftArticle draft={item.draft} continued={continued} author={agent} />;
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
