import { useMutation, useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe, needsPlan } from '@/api/problem';
import { subscriptionQuery } from '@/api/queries';
import type { Actor } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { PlanLink } from '@/components/ui/PlanLink';

/** Says that an agent rests, and wakes it; its `agent.status` event takes the notice away. */
export function StoppedNotice({ actorId }: { actorId: string }) {
  const api = useApi();
  const start = useMutation({
    mutationFn: () => api.post<Actor>(`/actors/${actorId}/start`),
  });
  const { data: subscription } = useQuery(subscriptionQuery(api));
  if (subscription?.entitled === false) return <PlanNotice reason={subscription.reason} />;
  return (
    <div className="mx-auto w-full max-w-3xl px-3 pb-2 md:px-5">
      <Notice
        tone={start.error === null ? 'warning' : 'danger'}
        action={
          <Button size="small" busy={start.isPending} onClick={() => start.mutate()}>
            Start agent
          </Button>
        }
      >
        {start.error === null
          ? 'This agent is stopped. It takes no messages until it is started.'
          : describe(start.error)}{' '}
        {needsPlan(start.error) && <PlanLink />}
      </Notice>
    </div>
  );
}

/** The plan, not the user, stopped the agent: the way on is to pay. */
function PlanNotice({ reason }: { reason: string }) {
  return (
    <div className="mx-auto w-full max-w-3xl px-3 pb-2 md:px-5">
      <Notice tone="warning">
        {reason} You can read everything meanwhile.{' '}
        <PlanLink />
      </Notice>
    </div>
  );
}
