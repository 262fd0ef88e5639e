/** How what an instance has on another host is named. Pure. */

/** Under which name it claims ports and devices; no instance's name holds a dot. */
export function subordinateHolder(instance: string, host: string): string {
  return `${instance}.${host}`;
}
