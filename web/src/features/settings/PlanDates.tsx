import type { Subscription } from '@/api/types';
import { Time } from '@/components/ui/Time';

/** What happens to a plan that is paid for next, and when. */
export function PlanDates({ subscription }: { subscription: Subscription }) {
  const next = nextOf(subscription);
  if (next === null) return null;
  return (
    <p className="text-sm text-ink-soft">
      {next.what} <Time at={next.at} />
    </p>
  );
}

function nextOf(subscription: Subscription): { what: string; at: string } | null {
  const { status, trial_end: trial, current_period_end: end } = subscription;
  if (subscription.cancel_at_period_end && end != null) {
    return { what: 'Cancelled: your agents run until', at: end };
  }
  if (status === 'trialing' && trial != null) return { what: 'The trial ends on', at: trial };
  if (status === 'active' && end != null) return { what: 'Renews on', at: end };
  return null;
}
