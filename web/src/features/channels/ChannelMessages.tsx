import type { Channel } from '@/api/types';
import { ErrorState } from '@/components/ui/ErrorState';
import { Skeleton } from '@/components/ui/Skeleton';
import { useLive } from '@/lib/live/LiveContext';

import { ChannelIntro } from './ChannelIntro';
import { MessageList } from './MessageList';
import type { History } from './useHistory';
import type { Opened } from './useOpened';

interface Props {
  channel: Channel;
  opened: Opened;
  history: History;
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
      history={history}
      empty={<ChannelIntro channel={channel} onSuggest={(text) => void sender.send(channel, text)} />}
    />
  );
}
