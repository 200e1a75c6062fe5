import { createLazyRoute } from '@tanstack/react-router';

import { ChannelScreen } from '../ChannelScreen';

export const Route = createLazyRoute('/members/app/channels/$name')({ component: ChannelRoute });

function ChannelRoute() {
  const { name } = Route.useParams();
  return <ChannelScreen name={name} />;
}
