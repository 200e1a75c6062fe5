import { SendHorizontal } from 'lucide-react';
import { useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';

import { Button } from '@/components/ui/Button';
import { cx } from '@/components/ui/cx';

import { sends } from './sends';

/** From this share of the limit on the count is shown. */
const COUNT_FROM = 0.9;

interface Props {
  channelName: string;
  maxChars: number;
  onSend: (text: string) => void;
  /** What was written here before, and a way to keep what is written now. */
  draft?: string | undefined;
  onDraft: (text: string) => void;
  /** Why nothing can be sent now. */
  blocked?: string | undefined;
  /** What sending means here, where that is not plain. */
  hint?: string | undefined;
}

/** Where a message is written: Enter sends, Shift+Enter begins a new line. */
export function Composer({ channelName, maxChars, onSend, draft = '', onDraft, blocked, hint }: Props) {
  const [text, setText] = useState(draft);
  const field = useRef<HTMLTextAreaElement>(null);
  const noteId = useId();
  const left = maxChars - lengthOf(text, maxChars);
  const canSend = text.trim() !== '' && left >= 0 && blocked === undefined;

  useLayoutEffect(() => {
    const area = field.current;
    if (area === null) return;
    area.style.height = 'auto';
    area.style.height = `${Math.min(area.scrollHeight, 240)}px`;
  }, [text]);

  const write = (next: string): void => {
    setText(next);
    onDraft(next);
  };

  const send = (): void => {
    if (!canSend) return;
    onSend(text.trim());
    write('');
    field.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    if (!sends(event)) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      className="mx-auto w-full max-w-3xl px-3 pb-3 md:px-5 md:pb-5"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <div
        className={cx(
          'flex items-end gap-2 rounded-2xl border bg-surface p-2 pl-4 shadow-float transition-colors',
          'focus-within:border-accent',
          left < 0 ? 'border-danger' : 'border-line-strong/60',
        )}
      >
        <textarea
          dir="auto"
          ref={field}
          data-first-focus
          rows={1}
          value={text}
          aria-label={`Message #${channelName}`}
          aria-describedby={noteId}
          aria-invalid={left < 0}
          placeholder={`Message #${channelName}`}
          disabled={blocked !== undefined}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          className="max-h-60 min-w-0 flex-1 resize-none bg-transparent py-1.5 leading-relaxed placeholder:text-ink-faint focus:outline-none disabled:cursor-not-allowed"
        />
        <Button
          type="submit"
          variant="primary"
          disabled={!canSend}
          aria-label="Send"
          className="size-9 rounded-xl px-0!"
        >
          <SendHorizontal aria-hidden size={17} />
        </Button>
      </div>
      <p id={noteId} className="mt-1.5 min-h-4 px-2 text-xs text-ink-faint">
        {blocked ?? <Hint left={left} maxChars={maxChars} hint={hint} />}
      </p>
    </form>
  );
}

/** Characters as the server counts them: one for an emoji, where JavaScript counts two. */
function lengthOf(text: string, maxChars: number): number {
  return text.length > maxChars ? Array.from(text).length : text.length;
}

function Hint({
  left,
  maxChars,
  hint,
}: {
  left: number;
  maxChars: number;
  hint: string | undefined;
}) {
  if (left < 0) {
    return <span className="text-danger">{-left} characters too many; send it in parts.</span>;
  }
  if (left < maxChars * (1 - COUNT_FROM)) return `${left} characters left`;
  if (hint !== undefined) return hint;
  return (
    <span className="hidden md:inline">
      <kbd className="font-sans font-medium">Enter</kbd> sends,{' '}
      <kbd className="font-sans font-medium">Shift Enter</kbd> begins a new line
    </span>
  );
}
