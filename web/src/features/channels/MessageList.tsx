import { ArrowDown } from 'lucide-react';
import { useEffect, useEffectEvent, useLayoutEffect, useMemo, useRef, type ReactNode, type Ref } from 'react';
import { flushSync } from 'react-dom';

import { describe } from '@/api/problem';
import type { Channel } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { useLive, useLiveState } from '@/lib/live/LiveContext';
import type { Pending } from '@/lib/live/state';
import { awaitsReply, timelineOf, type TimelineItem } from '@/lib/live/selectors';
import { onMissingQuestion } from '@/lib/showQuestion';

import { DraftArticle } from './DraftArticle';
import { DayLine, NewLine } from './Lines';
import { MessageArticle } from './MessageArticle';
import { MoreButton } from './MoreButton';
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
  const { drawn, before, behind, earlier, later, newest, around } = useWindow(items, opened);
  const rows = useMemo(
    () => rowsOf(drawn, channel.name, opened.unread),
    [drawn, channel.name, opened.unread],
  );
  const { box, content, rows: list, atEnd, toEnd, settle } = useStickToBottom(
    [rows[0]?.key, behind > 0 && rows.at(-1)?.key].join(),
    behind > 0,
  );
  const newLine = useLanding(rows, opened, settle);
  const sent = items.findLast((item) => item.kind === 'pending')?.key;
  const shown = useRef(sent);

  const onMissing = useEffectEvent((id: string): void => flushSync(() => around(id)));
  useLayoutEffect(() => onMissingQuestion((id) => onMissing(id)), []);

  const toNewest = (): void => {
    toEnd();
    newest();
  };
  const onSent = useEffectEvent(toNewest); // whoever writes wants to see it
  useEffect(() => {
    if (sent !== undefined && sent !== shown.current) onSent();
    shown.current = sent;
  }, [sent]);

  const showEarlier = (): void => {
    earlier();
    if (before === 0) history.loadEarlier();
  };

  // A button that is gone leaves the focus to the messages: the keys that scroll go on from here.
  const takeFocus = (): void => box.current?.focus({ preventScroll: true });

  return (
    <div className="relative min-h-0 flex-1">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it */}
      <div ref={box} tabIndex={0} className="h-full overflow-y-auto [overflow-anchor:none] focus-visible:-outline-offset-2">
        <div ref={content} className="mx-auto flex min-h-full max-w-3xl flex-col justify-end py-5">
          {(before > 0 || history.hasEarlier) && (
            <MoreButton busy={history.loadsEarlier} onClick={showEarlier} onGone={takeFocus}>
              Show earlier messages
            </MoreButton>
          )}
          {history.error !== null && (
            <p role="alert" className="pb-4 text-center text-sm text-danger">
              {describe(history.error)}
            </p>
          )}
          {items.length === 0 && empty}
          {/* Who reads further up would hear what is shown there on demand as if it were new. */}
          <div ref={list} role="log" aria-label="Messages" aria-live={atEnd ? 'polite' : 'off'}>
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
          {behind > 0 && (
            <MoreButton onClick={later} onGone={takeFocus}>
              Show later messages
            </MoreButton>
          )}
          {behind === 0 && channel.status !== 'stopped' && awaitsReply(items) && (
            <Thinking name={nameOf(channel.name)} />
          )}
        </div>
      </div>
      {!atEnd && (
        <div className="absolute inset-x-0 bottom-3 flex animate-rise justify-center">
          <Button
            size="small"
            className="shadow-float"
            onClick={() => {
              toNewest();
              takeFocus();
            }}
          >
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
