import { cx } from '@/components/ui/cx';
import type { LogLine } from '@/lib/live/state';

import { useStickToBottom } from './useStickToBottom';

/** So many of the newest lines are drawn. */
const DRAWN = 400;

const STYLES: Record<string, string> = {
  stderr: 'text-danger',
  system: 'text-warning',
  tool: 'text-info',
  command: 'text-info',
};

export function LogLines({ lines }: { lines: readonly LogLine[] }) {
  const { box, content } = useStickToBottom();
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- scrolls, so keys must reach it
    <div ref={box} tabIndex={0} className="max-h-52 overflow-y-auto [overflow-anchor:none] px-4 pb-3 focus-visible:-outline-offset-2 md:px-6">
      <div ref={content} className="font-mono text-[12.5px] leading-relaxed">
        {lines.slice(-DRAWN).map((line) => (
          <p key={line.id} className="grid grid-cols-[4.5rem_minmax(0,1fr)] gap-3">
            <span className="truncate text-ink-faint">{line.stream}</span>
            <span className={cx('whitespace-pre-wrap', STYLES[line.stream])}>
              {line.text.replace(/\n$/, '')}
            </span>
          </p>
        ))}
      </div>
    </div>
  );
}
