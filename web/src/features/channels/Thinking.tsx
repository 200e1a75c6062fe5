/** Says that an answer is on its way. */
export function Thinking({ name }: { name: string }) {
  return (
    <div role="status" className="mt-4 flex items-center gap-3 px-4 text-[13px] text-ink-faint md:px-6">
      <span aria-hidden className="flex w-9 justify-center gap-1">
        {[0, 160, 320].map((delay) => (
          <span
            key={delay}
            className="size-1.5 animate-breathe rounded-full bg-accent"
            style={{ animationDelay: `${delay}ms` }}
          />
        ))}
      </span>
      {name} is working on it…
    </div>
  );
}
