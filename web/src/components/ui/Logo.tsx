/** The product's sign and name. */
export function Logo() {
  return (
    <span className="flex items-center gap-2.5 font-semibold tracking-tight">
      <img src="/assets/favicon.svg" alt="" width={28} height={28} />
      GrowQR
    </span>
  );
}
