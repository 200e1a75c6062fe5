import { ArrowDown } from 'lucide-react';
import { useEffect, useMemo, useRef, type ReactNode, type Ref } from 'react';

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
import { rowsOf, type Row } from './rows';
import { Thinking } from './Thinking';
import type { History } from './useHistory';
import { useLanding } from './useLanding';
import type { Opened } from './useOpened';
import { useStickToBottom } from './useStickToBottom';
import { useWindow } from './useWindow';

interface Props {
  channel: Channel;
  opened: Opened;
  history: History;
  /** Stands in the place of messages when there are none. */
  empty: ReactNode;
}

export function MessageList({ channel, opened, history, empty }: Props) {
  const { sender } = useLive();
  const state = useLiveState((live) => live);
  const items = useMemo(() => timelineOf(state, channel.id), [state, channel.id]);
  const { drawn, left, more } = useWindow(items, opened);
  const rows = useMemo(
    () => rowsOf(drawn, channel.name, opened.unread),
    [drawn, channel.name, opened.unread],
  );
  const { box, content, atEnd, toEnd, settle } = useStickToBottom(rows[0]?.key);
  const newLine = useLanding(rows, opened, settle);
  const sent = items.findLast((item) => item.kind === 'pending')?.key;
  const shown = useRef(sent);

  useEffect(() => {
    if (sent !== undefined && sent !== shown.current) toEnd(); // whoever writes wants to see it
    shown.current = sent;
  }, [sent, toEnd]);

  const showEarlier = (): void => {
    more();
    if (left === 0) history.loadEarlier();
  };

  const jump = (): void => {
    toEnd();
    box.current?.focus(); // the button is gone, and the keys that scroll go on from here
  };

  return (
    <div className="relative min-h-0 flex-1">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it */}
      <div ref={box} tabIndex={0} className="h-full overflow-y-auto focus-visible:-outline-offset-2">
        <div ref={content} className="mx-auto flex min-h-full max-w-3xl flex-col justify-end py-5">
          {(left > 0 || history.hasEarlier) && (
            <div className="flex justify-center pb-4">
              <Button size="small" busy={history.loadsEarlier} onClick={showEarlier}>
                Show earlier messages
              </Button>
            </div>
          )}
          {items.length === 0 && empty}
          <div role="log" aria-label="Messages">
            {rows.map((row) => (
              <RowView
                key={row.key}
                row={row}
                newLine={newLine}
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
          <Button size="small" className="shadow-float" onClick={jump}>
            <ArrowDown aria-hidden size={14} /> Jump to latest
          </Button>
        </div>
      )}
    </div>
  );
}

interface RowProps {
  row: Row;
  newLine: Ref<HTMLDivElement>;
  agent: string;
  channel: Channel;
  onRetry: (pending: Pending) => void;
  onDiscard: (clientId: string) => void;
}

function RowView({ row, newLine, ...props }: RowProps) {
  switch (row.kind) {
    case 'day':
      return <DayLine at={row.at} />;
    case 'new':
      return <NewLine ref={newLine} />;
    case 'item':
      return <Item item={row.item} continued={row.continued} {...props} />;
  }
}

interface ItemProps extends Omit<RowProps, 'row' | 'newLine'> {
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
