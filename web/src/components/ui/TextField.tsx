import { useId, type InputHTMLAttributes, type ReactNode } from 'react';

import { cx } from './cx';

interface Props extends Omit<InputHTMLAttributes<HTMLInputElement>, 'id'> {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  /** Something at the right end of the field, such as a button. */
  trailing?: ReactNode;
}

export function TextField({ label, hint, error, trailing, className, ...input }: Props) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div>
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      <div className="relative">
        <input
          {...input}
          id={id}
          aria-invalid={error !== undefined}
          aria-describedby={note === undefined ? undefined : `${id}-note`}
          className={cx(
            'h-11 w-full rounded-xl border bg-surface px-3.5 text-[15px] transition-colors',
            'placeholder:text-ink-faint focus-visible:outline-offset-0',
            error === undefined ? 'border-line-strong' : 'border-danger',
            trailing !== undefined && 'pr-11',
            className,
          )}
        />
        {trailing !== undefined && (
          <div className="absolute inset-y-0 right-1.5 flex items-center">{trailing}</div>
        )}
      </div>
      {note !== undefined && (
        <p
          id={`${id}-note`}
          className={cx('mt-1.5 text-[13px]', error === undefined ? 'text-ink-faint' : 'text-danger')}
        >
          {note}
        </p>
      )}
    </div>
  );
}
