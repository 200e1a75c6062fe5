/** The server's limits, repeated here only to say so before sending. */
export const limits = {
  messageChars: 32_000,
  passwordChars: 10,
} as const;
