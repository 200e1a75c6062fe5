import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import { subscriptionQuery } from '@/api/queries';
import type { Subscription } from '@/api/types';
import { Badge } from '@/components/ui/Badge';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { Skeleton } from '@/components/ui/Skeleton';

import { usePortal } from './api';
import { Card } from './Card';
import { PlanDates } from './PlanDates';
import { PlanList } from './PlanList';

/** What the user pays for, and the ways to change it. */
export function BillingSection() {
  const api = useApi();
  const { data, error } = useQuery(subscriptionQuery(api));
  return (
    <Card title="Billing" anchor="billing">
      {error !== null && <Notice tone="danger">{describe(error)}</Notice>}
      {data === undefined && error === null && <Skeleton lines={1} label="Loading billing" />}
      {data?.provider === 'none' && (
        <p className="text-ink-soft">
          <strong className="font-medium text-ink">Self-hosted, no billing.</strong> Your agents may
          always run on this server.
        </p>
      )}
      {data !== undefined && data.provider !== 'none' && <PaidPlan subscription={data} />}
    </Card>
  );
}

function PaidPlan({ subscription }: { subscription: Subscription }) {
  const portal = usePortal();
  const { status, entitled, reason } = subscription;
  const good = status === 'active' || status === 'trialing';
  return (
    <div className="space-y-4">
      {status !== 'none' && (
        <p className="flex flex-wrap items-center gap-2">
          <span className="font-medium capitalize">{subscription.plan}</span>
          <Badge tone={good ? 'accent' : 'warning'}>{status.replaceAll('_', ' ')}</Badge>
          <Button
            size="small"
            className="ml-auto"
            busy={portal.isPending}
            onClick={() => portal.mutate()}
          >
            Manage payment
          </Button>
        </p>
      )}
      {good ? (
        <PlanDates subscription={subscription} />
      ) : (
        <Notice tone={entitled ? 'warning' : 'danger'}>{reason}</Notice>
      )}
      {portal.error !== null && <Notice tone="danger">{describe(portal.error)}</Notice>}
      <PlanList subscription={subscription} />
    </div>
  );
}
