import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import type { Plan, Subscription } from '@/api/types';
import { Button } from '@/components/ui/Button';
import { Notice } from '@/components/ui/Notice';
import { Skeleton } from '@/components/ui/Skeleton';

import { plansQuery, useChangePlan, useCheckout } from './api';

/** A subscription that Stripe still charges is changed; else a new one is bought. */
const LIVE = ['active', 'trialing', 'past_due', 'unpaid', 'paused'];

export function PlanList({ subscription }: { subscription: Subscription }) {
  const { data, error } = useQuery(plansQuery(useApi()));
  const checkout = useCheckout();
  const change = useChangePlan();
  const live = LIVE.includes(subscription.status);
  const doing = live ? change : checkout;
  if (error !== null) return <Notice tone="danger">{describe(error)}</Notice>;
  if (data === undefined) return <Skeleton lines={2} label="Loading plans" />;
  return (
    <div className="space-y-3">
      <ul aria-label="Plans" className="grid gap-3 sm:grid-cols-2">
        {data.map((plan) => (
          <li key={plan.key} className="flex flex-col rounded-xl border border-line p-4">
            <p className="font-medium">{plan.name}</p>
            <p className="text-sm text-ink-soft">{plan.display_price}</p>
            <p className="mt-1 mb-3 text-sm text-ink-soft">{plan.description || allows(plan)}</p>
            <div className="mt-auto">
              {live && plan.key === subscription.plan ? (
                <p className="text-sm font-medium text-accent">Your plan</p>
              ) : (
                <Button
                  size="small"
                  variant="primary"
                  busy={doing.isPending && doing.variables === plan.key}
                  disabled={doing.isPending}
                  onClick={() => doing.mutate(plan.key)}
                >
                  {live ? `Change to ${plan.name}` : `Choose ${plan.name}`}
                </Button>
              )}
            </div>
          </li>
        ))}
      </ul>
      {doing.error !== null && <Notice tone="danger">{describe(doing.error)}</Notice>}
    </div>
  );
}

function allows(plan: Plan): string {
  const parts = [
    plan.trial_days > 0 ? `${plan.trial_days} days free` : '',
    plan.messages_per_day === null
      ? 'any number of messages'
      : `${plan.messages_per_day} messages a day`,
    plan.running_workspaces == null ? '' : `${plan.running_workspaces} running workspaces`,
    plan.agents === null ? 'all agents' : `agents: ${plan.agents.join(', ')}`,
  ];
  return parts.filter((part) => part !== '').join(' · ');
}
