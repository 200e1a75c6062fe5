import type { Channel } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { ErrorState } from '@/components/ui/ErrorState';
import { Skeleton } from '@/components/ui/Skeleton';
import { useLive } from '@/lib/live/LiveContext';

import { ChannelIntro } from './ChannelIntro';
import { MessageList } from './MessageList';
import type { useHistory } from './useHistory';
import type { Opened } from './useOpened';

interface Props {
  channel: Channel;
  opened: Opened;
  history: ReturnType<typeof useHistory>;
}

/** A channel's messages, or why they are not there yet. */
export function ChannelMessages({ channel, opened, history }: Props) {
  const { sender } = useLive();
  if (!history.ready) {
    return (
      <div className="mx-auto w-full max-w-3xl flex-1 p-6">
        {history.error === null ? (
          <Skeleton lines={6} label="Loading messages" />
        ) : (
          <ErrorState error={history.error} retry={history.retry} />
        )}
      </div>
    );
  }
  return (
    <MessageList
      channel={channel}
      opened={opened}
      before={
        history.hasEarlier && (
          <div className="flex justify-center pb-4">
            <Button
              size="small"
              busy={history.loadsEarlier}
              onClick={history.loadEarlier}
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
