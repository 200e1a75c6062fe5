import { X } from 'lucide-react';

import { IconButton } from '@/components/ui/IconButton';
import { Time } from '@/components/ui/Time';
import { dayOf } from '@/lib/days';

interface Props {
  /** A date, or an exact moment; none is now. */
  value: string | undefined;
  onChange: (at: string | undefined) => void;
}

/** Takes the reader back to a day, and tells that this is not now. */
export function DayPicker({ value, onChange }: Props) {
  const day = value !== undefined && value.length > 10 ? dayOf(new Date(value)) : value;
  return (
    <div className="mt-2">
      <div className="flex h-9 items-center gap-2 px-2.5 text-sm text-ink-soft">
        <label htmlFor="memory-day">As it was on</label>
        <input
          id="memory-day"
          type="date"
          max={dayOf(new Date())}
          value={day ?? ''}
          onChange={({ target }) => onChange(target.value === '' ? undefined : target.value)}
          className="min-w-0 flex-1 rounded-lg border border-line bg-surface px-2 py-1"
        />
      </div>
      {value !== undefined && (
        <p
          role="status"
          className="mt-1 flex items-center gap-1 rounded-lg bg-warning-soft pl-2.5 text-[13px] text-warning"
        >
          <span className="flex-1">
            You look back{value.length > 10 && <> to <Time at={value} /></>}.
          </span>
          <IconButton icon={X} label="Back to now" onClick={() => onChange(undefined)} />
        </p>
      )}
    </div>
  );
}
