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
  const used = usage.days.filter((day) => day.messages > 0 || day.model_tokens > 0);
  const today = usage.days.at(-1);
  const limit = usage.messages_per_day;
  return (
    <div className="space-y-4">
      {today !== undefined && limit !== null && (
        <div className="space-y-1.5">
          <p className="text-sm text-ink-soft">
            {number.format(today.messages)} of {number.format(limit)} messages today
          </p>
          <Progress value={today.messages / Math.max(1, limit)} label="Messages used today" />
        </div>
      )}
      {used.length === 0 ? (
        <p className="text-sm text-ink-soft">Nothing was used in the last two weeks.</p>
      ) : (
        <table className="w-full text-left text-sm">
          <caption className="sr-only">Use in the last two weeks, days in UTC</caption>
          <thead className="text-ink-faint">
            <tr>
              <th className="py-1 font-normal">Day</th>
              <th className="py-1 text-right font-normal">Messages</th>
              <th className="py-1 text-right font-normal">Model tokens</th>
            </tr>
          </thead>
          <tbody>
            {used.toReversed().map((day) => (
              <tr key={day.day} className="border-t border-line">
                <td className="py-1">{day.day}</td>
                <td className="py-1 text-right">{number.format(day.messages)}</td>
                <td className="py-1 text-right">{number.format(day.model_tokens)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
