import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import { Badge } from '@/components/ui/Badge';
import { Notice } from '@/components/ui/Notice';
import { Skeleton } from '@/components/ui/Skeleton';

import { subscriptionQuery } from './api';
import { Card } from './Card';

export function BillingSection() {
  const api = useApi();
  const { data, error } = useQuery(subscriptionQuery(api));
  return (
    <Card title="Billing">
      {error !== null && <Notice tone="danger">{describe(error)}</Notice>}
      {data === undefined && error === null && <Skeleton lines={1} label="Loading billing" />}
      {data?.provider === 'none' && (
        <p className="text-ink-soft">
          <strong className="font-medium text-ink">Self-hosted, no billing.</strong> Your agents may
          always run on this server.
        </p>
      )}
      {data !== undefined && data.provider !== 'none' && (
        <p className="flex items-center gap-2">
          {data.plan}
          <Badge tone={data.status === 'active' ? 'accent' : 'warning'}>{data.status}</Badge>
        </p>
      )}
    </Card>
  );
}
