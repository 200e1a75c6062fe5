import { CopyButton } from './CopyButton';

export function CodeBlock({ text, language = '' }: { text: string; language?: string }) {
  return (
    <div dir="ltr" className="overflow-hidden rounded-xl border border-line bg-code">
      <div className="flex h-9 items-center justify-between gap-2 border-b border-line pr-1 pl-3.5">
        <span className="truncate font-mono text-xs text-ink-faint" title={language}>
          {language === '' ? 'text' : language}
        </span>
        <CopyButton text={text} label="Copy code" />
      </div>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} className="overflow-x-auto px-3.5 py-3 font-mono text-[13px] leading-relaxed">
        <code>{text.replace(/\n$/, '')}</code>
      </pre>
    </div>
  );
}
