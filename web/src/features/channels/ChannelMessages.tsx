import type { Channel } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { ErrorState } from '@/components/ui/ErrorState';
import { Skeleton } from '@/components/ui/Skeleton';
import { useLive } from '@/lib/live/LiveContext';

import { ChannelIntro } from './ChannelIntro';
import { MessageList } from './MessageList';
import type { Unread } from './rows';
import type { useHistory } from './useHistory';

interface Props {
  channel: Channel;
  unread: Unread;
  history: ReturnType<typeof useHistory>;
}

/** A channel's messages, or why they are not there yet. */
export function ChannelMessages({ channel, unread, history }: Props) {
  const { sender } = useLive();
  if (history.data === undefined) {
    return (
      <div className="mx-auto w-full max-w-3xl flex-1 p-6">
        {history.error === null ? (
          <Skeleton lines={6} label="Loading messages" />
        ) : (
          <ErrorState error={history.error} retry={() => void history.refetch()} />
        )}
      </div>
    );
  }
  return (
    <MessageList
      channel={channel}
      unread={unread}
      before={
        history.hasNextPage && (
          <div className="flex justify-center pb-4">
            <Button
              size="small"
              busy={history.isFetchingNextPage}
              onClick={() => void history.fetchNextPage()}
            >
              Show earlier messages
            </Button>
          </div>
        )
      }
      empty={<ChannelIntro channel={channel} onSuggest={(text) => void sender.send(channel, text)} />}
    />
  );
}
