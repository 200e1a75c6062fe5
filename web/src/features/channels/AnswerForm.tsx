import { useState, type SyntheticEvent } from 'react';

import { Button } from '@/components/ui/Button';

import { sends } from './sends';

const MAX_ROWS = 8;

interface Props {
  options: readonly string[];
  busy: boolean;
  onAnswer: (text: string) => void;
}

/** A button for each option, and a field for any other answer. */
export function AnswerForm({ options, busy, onAnswer }: Props) {
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState<string | null>(null);

  const answer = (value: string): void => {
    setChosen(value);
    onAnswer(value);
  };
  const submit = (event: SyntheticEvent): void => {
    event.preventDefault();
    if (text.trim() !== '') answer(text.trim());
  };

  return (
    <form onSubmit={submit} className="space-y-3">
      {options.length > 0 && (
        <div role="group" aria-label="Options" className="flex flex-wrap gap-2">
          {options.map((option) => (
            <Button
              key={option}
              size="small"
              busy={busy && chosen === option}
              disabled={busy}
              className="h-auto min-h-8 max-w-full shrink py-1 text-left"
              onClick={() => answer(option)}
            >
              {option}
            </Button>
          ))}
        </div>
      )}
      <div className="flex gap-2">
        <textarea
          dir="auto"
          rows={Math.min(MAX_ROWS, text.split('\n').length)}
          aria-label={options.length > 0 ? 'Another answer' : 'Your answer'}
          placeholder={options.length > 0 ? 'Or say it in your words' : 'Your answer'}
          value={text}
          disabled={busy}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (sends(event)) submit(event);
          }}
          className="min-h-9 min-w-0 flex-1 resize-none rounded-lg border border-line-strong bg-surface px-3 py-1.5 text-sm placeholder:text-ink-faint focus-visible:outline-offset-0"
        />
        <Button
          type="submit"
          size="small"
          className="h-9"
          busy={busy && chosen !== null && !options.includes(chosen)}
          disabled={busy || text.trim() === ''}
        >
          Answer
        </Button>
      </div>
    </form>
  );
}
