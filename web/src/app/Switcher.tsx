import { useNavigate } from '@tanstack/react-router';
import { useRef, useState, type KeyboardEvent } from 'react';

import { cx } from '@/components/ui/cx';
import { Modal } from '@/components/ui/Modal';
import { paths } from '@/config/paths';
import { useLiveState } from '@/lib/live/LiveContext';

interface Target {
  label: string;
  go: () => void;
}

/** Jumps to a channel or page by a few letters of its name. */
export function Switcher({ onClose }: { onClose: () => void }) {
  const navigate = useNavigate();
  const channels = useLiveState((state) => state.channels);
  const [text, setText] = useState('');
  const [active, setActive] = useState(0);
  const left = useRef(false); // the page that is gone to takes the focus

  const targets: Target[] = [
    ...channels.map(({ name }) => ({
      label: `#${name}`,
      go: () => void navigate({ to: paths.channel, params: { name } }),
    })),
    { label: 'Quests', go: () => void navigate({ to: paths.quests }) },
    { label: 'Memory', go: () => void navigate({ to: paths.memory }) },
    { label: 'Code', go: () => void navigate({ to: paths.code }) },
    { label: 'Settings', go: () => void navigate({ to: paths.settings }) },
  ];
  const found = targets.filter(({ label }) => label.toLowerCase().includes(text.toLowerCase().trim()));
  const chosen = found[Math.min(active, found.length - 1)];

  const pick = (target: Target | undefined): void => {
    if (target === undefined) return;
    left.current = true;
    onClose();
    target.go();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && found.length > 0) {
      event.preventDefault();
      setActive((active + step + found.length) % found.length);
    } else if (event.key === 'Enter' && !event.nativeEvent.isComposing) {
      event.preventDefault();
      pick(chosen);
    }
  };

  return (
    <Modal
      open
      onOpenChange={(open) => {
        if (!open) onClose();
      }}
      title="Go to"
      description="Type a few letters, choose with the arrow keys, open with Enter."
      showTitle={false}
      returnsFocus={() => !left.current}
    >
      <input
        role="combobox"
        aria-label="Channel or page"
        aria-expanded
        aria-controls="switcher-list"
        aria-activedescendant={chosen && `switch-${chosen.label}`}
        autoFocus
        autoComplete="off"
        placeholder="Where to?"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setActive(0);
        }}
        onKeyDown={onKeyDown}
        className="h-13 w-full border-b border-line bg-transparent px-5 text-base placeholder:text-ink-faint focus:outline-none"
      />
      <div
        id="switcher-list"
        role="listbox"
        aria-label="Places"
        className="max-h-80 overflow-y-auto p-2"
      >
        {found.map((target) => (
          // The text field holds the focus and has the keys; a click is the other way.
          // eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus
          <div
            key={target.label}
            id={`switch-${target.label}`}
            role="option"
            aria-selected={target === chosen}
            onClick={() => pick(target)}
            className={cx(
              'rounded-lg px-3 py-2 text-sm',
              target === chosen ? 'bg-accent-soft font-medium text-accent-strong' : 'hover:bg-hover',
            )}
          >
            {target.label}
          </div>
        ))}
        {found.length === 0 && (
          <p className="px-3 py-2 text-sm text-ink-soft">Nothing by that name.</p>
        )}
      </div>
    </Modal>
  );
}
