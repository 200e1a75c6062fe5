import { useQuery } from '@tanstack/react-query';

import { useApi } from '@/api/ApiContext';
import { describe } from '@/api/problem';
import type { Usage } from '@/api/types';
import { Notice } from '@/components/ui/Notice';
import { Progress } from '@/components/ui/Progress';
import { Skeleton } from '@/components/ui/Skeleton';

import { usageQuery } from './api';
import { Card } from './Card';

const number = new Intl.NumberFormat('en');
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });

/** What the user's agents used, by day. */
export function UsageSection() {
  const { data, error } = useQuery(usageQuery(useApi()));
  return (
    <Card title="Usage">
      {error !== null && <Notice tone="danger">{describe(error)}</Notice>}
      {data === undefined && error === null && <Skeleton lines={2} label="Loading usage" />}
      {data !== undefined && <Days usage={data} />}
    </Card>
  );
}

function Days({ usage }: { usage: Usage }) {
  const used = usage.days.filter(
    (day) => day.messages > 0 || day.model_tokens > 0 || day.workspace_seconds > 0,
  );
  const today = usage.days.at(-1);
  return (
    <div className="space-y-4">
      <Share of="messages" used={today?.messages} limit={usage.messages_per_day} />
      <Share of="model tokens" used={today?.model_tokens} limit={usage.model_tokens_per_day} />
      {usage.running_workspaces !== null && (
        <p className="text-sm text-ink-soft">
          {workspaces(usage.running_workspaces)} may run at once.
        </p>
      )}
      {used.length === 0 ? (
        <p className="text-sm text-ink-soft">Nothing was used in the last two weeks.</p>
      ) : (
        <table className="w-full text-left wrap-normal text-[13px] sm:text-sm">
          <caption className="sr-only">Use in the last two weeks, days in UTC</caption>
          <thead className="text-ink-faint">
            <tr>
              <th className="py-1 align-bottom font-normal">Day</th>
              <th className="py-1 pl-3 text-right align-bottom font-normal">Messages</th>
              <th className="py-1 pl-3 text-right align-bottom font-normal">Model tokens</th>
              <th className="py-1 pl-3 text-right align-bottom font-normal">Workspace minutes</th>
            </tr>
          </thead>
          <tbody>
            {used.toReversed().map((day) => (
              <tr key={day.day} className="border-t border-line">
                <td className="py-1 whitespace-nowrap">{date.format(new Date(day.day))}</td>
                <td className="py-1 text-right">{number.format(day.messages)}</td>
                <td className="py-1 text-right">{number.format(day.model_tokens)}</td>
                <td className="py-1 text-right">
                  {number.format(Math.ceil(day.workspace_seconds / 60))}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

function workspaces(count: number): string {
  return count === 1 ? 'One workspace' : `${number.format(count)} workspaces`;
}

interface ShareProps {
  of: string;
  used: number | undefined;
  /** Null: there is none, and nothing to show. */
  limit: number | null;
}

/** How much of a day's limit is used. */
function Share({ of, used, limit }: ShareProps) {
  if (used === undefined || limit === null) return null;
  return (
    <div className="space-y-1.5">
      <p className="text-sm text-ink-soft">
        {number.format(used)} of {number.format(limit)} {of} today
      </p>
      <Progress value={used / Math.max(1, limit)} label={`Used of today’s ${of}`} />
    </div>
  );
}
